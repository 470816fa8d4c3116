//! `streampulse user`: accounts, also while the service runs.

use std::path::Path;

use serde_json::json;

use super::password::read_new_password;
use super::state::{Exit, State, failed};
use super::table::table;
use super::{EX_SOFTWARE, EX_USAGE, complain, say};
use crate::model::{Role, Secret, User, check_account_name};
use crate::store::{UserChange, UserChanged};
use crate::web::{FIRST_USER, Passwords, check_new_password, remove_initial_password};

/// What can be done with accounts.
#[derive(Debug, clap::Subcommand)]
pub enum UserCommand {
    /// Add an account; its password is asked for, or read from standard input.
    Add {
        /// Letters, digits and . _ - @ +
        name: String,
        /// What it may do.
        #[arg(long, value_parser = super::parse_role, default_value = "viewer", value_name = "viewer|operator|admin")]
        role: Role,
        /// A group whose streams it sees; again for more. Without any: every stream.
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// The password must be changed at the first sign-in.
        #[arg(long)]
        must_change: bool,
    },
    /// Change the password of an account, which ends its sessions; it is asked for, or read from standard input.
    Passwd {
        /// Whose.
        name: String,
        /// It must be changed at the next sign-in.
        #[arg(long)]
        must_change: bool,
    },
    /// Change role or groups of an account.
    Set {
        /// Whose.
        name: String,
        /// What it may do from now on.
        #[arg(long, value_parser = super::parse_role, value_name = "viewer|operator|admin")]
        role: Option<Role>,
        /// A group whose streams it sees from now on; again for more.
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// It sees every stream from now on.
        #[arg(long, conflicts_with = "groups")]
        all_groups: bool,
    },
    /// List the accounts.
    List,
    /// Remove an account with its sessions.
    Remove {
        /// Whose.
        name: String,
    },
}

/// Does it.
pub async fn run(config_file: &Path, command: UserCommand) -> u8 {
    // Before the database is opened: whoever thinks about a password holds nobody up.
    let prepared = match prepare(command).await {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    let state = match State::open(config_file).await {
        Ok(state) => state,
        Err(code) => return code,
    };
    let done = obey(&state, prepared).await;
    let closed = state.close().await;
    match done.and(closed) {
        Ok(()) => 0,
        Err(code) => code,
    }
}

/// A command whose words make sense and whose password is hashed.
enum Prepared {
    Add(User),
    Change(String, UserChange),
    List,
    Remove(String),
}

async fn prepare(command: UserCommand) -> Result<Prepared, Exit> {
    Ok(match command {
        UserCommand::List => Prepared::List,
        UserCommand::Remove { name } => Prepared::Remove(name),
        UserCommand::Add { name, role, groups, must_change } => {
            check_account_name(&name).map_err(|problem| complain(&problem, EX_USAGE))?;
            let groups = groups_of(Some(role), groups)?;
            let password_hash = new_hash(&name).await?;
            Prepared::Add(User {
                username: name,
                password_hash,
                role,
                groups,
                must_change_password: must_change,
                token_generation: 0,
            })
        }
        UserCommand::Passwd { name, must_change } => {
            let hash = new_hash(&name).await?;
            Prepared::Change(name, UserChange { password: Some((hash, must_change)), ..UserChange::default() })
        }
        UserCommand::Set { name, role, groups, all_groups } => {
            let groups = match groups_of(role, groups)? {
                Some(groups) => Some(Some(groups)),
                None if all_groups => Some(None),
                None => None,
            };
            if role.is_none() && groups.is_none() {
                return Err(complain("say what to change: --role, --group or --all-groups", EX_USAGE));
            }
            Prepared::Change(name, UserChange { role, groups, password: None })
        }
    })
}

async fn new_hash(name: &str) -> Result<String, Exit> {
    let password = read_new_password(name).map_err(|message| complain(&message, EX_USAGE))?;
    check_new_password(&password, name).map_err(|message| complain(&message, EX_USAGE))?;
    let hash = Passwords::default().hash(Secret::new(password)).await;
    hash.map_err(|error| complain(&error.to_string(), EX_SOFTWARE))
}

/// The groups that were named, if any.
pub(super) fn groups_of(role: Option<Role>, groups: Vec<String>) -> Result<Option<Vec<String>>, Exit> {
    if groups.is_empty() {
        return Ok(None);
    }
    if role == Some(Role::Admin) {
        return Err(complain(
            "an administrator sees every stream; leave --group out, or take the role operator or viewer",
            EX_USAGE,
        ));
    }
    Ok(Some(groups))
}

async fn obey(state: &State, command: Prepared) -> Result<(), Exit> {
    match command {
        Prepared::List => list(state).await,
        Prepared::Add(user) => {
            if !state.store.add_user(user.clone()).await.map_err(|error| failed(&error))? {
                let message = format!("there is an account {:?} already; see streampulse user list", user.username);
                return Err(complain(&message, EX_USAGE));
            }
            state.audit("user.create", &user.username, json!({"role": user.role, "groups": user.groups})).await;
            say(&format!("{} ({}) may sign in", user.username, user.role));
            Ok(())
        }
        Prepared::Change(name, change) => {
            let changes_password = change.password.is_some();
            if let Some(Some(_)) = &change.groups
                && change.role.is_none()
                && state.store.user(&name).await.map_err(|error| failed(&error))?.is_some_and(|u| u.role == Role::Admin)
            {
                let message = "an administrator sees every stream; add --role operator or --role viewer";
                return Err(complain(message, EX_USAGE));
            }
            let user = done(&name, state.store.change_user(&name, change).await)?;
            if changes_password && name == FIRST_USER {
                remove_initial_password(&state.directory).await;
            }
            let action = if changes_password { "password.change" } else { "user.change" };
            state.audit(action, &name, json!({"role": user.role, "groups": user.groups})).await;
            say(&if changes_password {
                format!("{name} has a new password; sessions of before are ended")
            } else {
                format!("{name} is {} and sees {}", user.role, seen(user.groups.as_deref()))
            });
            Ok(())
        }
        Prepared::Remove(name) => {
            let user = done(&name, state.store.remove_user(&name).await)?;
            state.audit("user.remove", &name, json!({"role": user.role})).await;
            say(&format!("{name} is removed"));
            Ok(())
        }
    }
}

fn done(name: &str, changed: Result<UserChanged, crate::store::StoreError>) -> Result<User, Exit> {
    match changed.map_err(|error| failed(&error))? {
        UserChanged::Done(user) => Ok(user),
        UserChanged::NoSuchUser => {
            Err(complain(&format!("there is no account {name:?}; see streampulse user list"), EX_USAGE))
        }
        UserChanged::LastAdmin => {
            Err(complain(&format!("{name} is the last administrator; make another one first"), EX_USAGE))
        }
    }
}

async fn list(state: &State) -> Result<(), Exit> {
    let users = state.store.users().await.map_err(|error| failed(&error))?;
    let mut rows = vec![["NAME", "ROLE", "SEES", ""].map(str::to_owned)];
    rows.extend(users.into_iter().map(|user| {
        let note = if user.must_change_password { "must change the password" } else { "" };
        [user.username, user.role.to_string(), seen(user.groups.as_deref()), note.to_owned()]
    }));
    say(&table(&rows));
    Ok(())
}

/// For a person: which streams.
pub(super) fn seen(groups: Option<&[String]>) -> String {
    groups.map_or_else(|| "every stream".to_owned(), |groups| groups.join(", "))
}
