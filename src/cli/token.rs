//! `streampulse token`: keys for programs, also while the service runs.

use std::path::Path;

use jiff::SignedDuration;
use serde_json::json;

use super::state::{Exit, State, failed, who};
use super::table::table;
use super::user::{groups_of, seen};
use super::{EX_CANTCREAT, EX_SOFTWARE, EX_USAGE, complain, say};
use crate::clock::{Clock as _, SystemClock};
use crate::model::{ApiToken, Role, check_account_name};
use crate::web::{Keys, new_api_token};

/// What can be done with API tokens.
#[derive(Debug, clap::Subcommand)]
pub enum TokenCommand {
    /// Make a token and print it, this once, on standard output.
    Create {
        /// What it is for: letters, digits and . _ - @ +
        name: String,
        /// What it may do.
        #[arg(long, value_parser = super::parse_role, default_value = "viewer", value_name = "viewer|operator|admin")]
        role: Role,
        /// A group whose streams it sees; again for more. Without any: every stream.
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<String>,
        /// Days until it expires. Without: it does not.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
        expires_in_days: Option<u32>,
    },
    /// List the tokens.
    List,
    /// Revoke a token.
    Revoke {
        /// Its name or number.
        token: String,
    },
    /// Make a new signing key: every access token and signed link of before ends, sessions go on.
    RotateSecret,
}

/// Does it.
pub async fn run(config_file: &Path, command: TokenCommand) -> u8 {
    let state = match State::open(config_file).await {
        Ok(state) => state,
        Err(code) => return code,
    };
    let done = obey(&state, command).await;
    let closed = state.close().await;
    match done.and(closed) {
        Ok(()) => 0,
        Err(code) => code,
    }
}

async fn obey(state: &State, command: TokenCommand) -> Result<(), Exit> {
    match command {
        TokenCommand::Create { name, role, groups, expires_in_days } => {
            create(state, name, role, groups, expires_in_days).await
        }
        TokenCommand::List => list(state).await,
        TokenCommand::Revoke { token } => revoke(state, &token).await,
        TokenCommand::RotateSecret => {
            Keys::rotate(&state.directory).map_err(|error| complain(&error.to_string(), EX_CANTCREAT))?;
            state.audit("secret.rotate", "jwt-secret", json!({})).await;
            say("there is a new signing key; a service that runs takes it up within seconds");
            Ok(())
        }
    }
}

async fn create(
    state: &State,
    name: String,
    role: Role,
    groups: Vec<String>,
    expires_in_days: Option<u32>,
) -> Result<(), Exit> {
    check_account_name(&name).map_err(|problem| complain(&problem, EX_USAGE))?;
    let groups = groups_of(Some(role), groups)?;
    let (token, hash) = new_api_token().map_err(|error| complain(&error.to_string(), EX_SOFTWARE))?;
    let now = SystemClock.now();
    let days = |days: u32| now.checked_add(SignedDuration::from_hours(24 * i64::from(days))).ok();
    let kept = ApiToken {
        id: 0,
        name,
        role,
        groups,
        created_at: now,
        created_by: who(),
        expires_at: expires_in_days.and_then(days),
        last_used_at: None,
    };
    let Some(id) = state.store.add_api_token(hash, kept.clone()).await.map_err(|error| failed(&error))? else {
        let message = format!("there is a token {:?} already; revoke it first, or take another name", kept.name);
        return Err(complain(&message, EX_USAGE));
    };
    let details = json!({"id": id, "role": role, "groups": kept.groups, "expires_at": kept.expires_at});
    state.audit("token.create", &kept.name, details).await;
    say(&token);
    Ok(())
}

async fn revoke(state: &State, token: &str) -> Result<(), Exit> {
    let tokens = state.store.api_tokens().await.map_err(|error| failed(&error))?;
    let by_name = tokens.iter().find(|kept| kept.name == token);
    let found = by_name.or_else(|| tokens.iter().find(|kept| kept.id.to_string() == token));
    let Some(found) = found else {
        return Err(complain(&format!("there is no token {token:?}; see streampulse token list"), EX_USAGE));
    };
    state.store.revoke_api_token(found.id).await.map_err(|error| failed(&error))?;
    state.audit("token.revoke", &found.name, json!({"id": found.id})).await;
    say(&format!("{} is revoked", found.name));
    Ok(())
}

async fn list(state: &State) -> Result<(), Exit> {
    let tokens = state.store.api_tokens().await.map_err(|error| failed(&error))?;
    let now = SystemClock.now();
    let mut rows = vec![["NUMBER", "NAME", "ROLE", "SEES", "EXPIRES", "LAST USED"].map(str::to_owned)];
    rows.extend(tokens.into_iter().map(|token| {
        let expires = match token.expires_at {
            None => "never".to_owned(),
            Some(at) if token.is_good(now) => at.strftime("%Y-%m-%d").to_string(),
            Some(_) => "expired".to_owned(),
        };
        let used =
            token.last_used_at.map_or_else(|| "never".to_owned(), |at| at.strftime("%Y-%m-%d %H:%MZ").to_string());
        let sees = seen(token.groups.as_deref());
        [token.id.to_string(), token.name, token.role.to_string(), sees, expires, used]
    }));
    say(&table(&rows));
    Ok(())
}
