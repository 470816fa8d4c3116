//! Users and refresh tokens. Every change is on the disk before it is answered.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::codes::time;
use super::{Store, StoreError};
use crate::model::{RefreshToken, Role, User};

/// What became of a refresh token that somebody showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakenToken {
    /// It was good and is now used: put its successor.
    Fresh(RefreshToken),
    /// It was used before. Two tabs of one browser do that within a moment of each other; later it is a stolen token:
    /// revoke the family.
    Used {
        /// The token.
        token: RefreshToken,
        /// When it was used first.
        used_at: Timestamp,
    },
    /// Never given out, revoked or expired.
    Invalid,
}

/// What is to be different about a user; `None`: it stays.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// What the account may do.
    pub role: Option<Role>,
    /// The groups it sees; `Some(None)`: every stream.
    pub groups: Option<Option<Vec<String>>>,
    /// The new password's hash, and whether it must be changed at the next sign-in.
    pub password: Option<(String, bool)>,
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserChanged {
    /// It is done; the user as it is now, or as it was.
    Done(User),
    /// There is no such user.
    NoSuchUser,
    /// Nobody could change anything any more: refused.
    LastAdmin,
}

/// In `meta`: a token generation that no removed account had.
const NEXT_GENERATION: &str = "next_token_generation";

const USER: &str =
    "SELECT username, password_hash, role, must_change_password, token_generation, stream_groups FROM users";

impl Store {
    /// The user of this name.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn user(&self, username: &str) -> Result<Option<User>, StoreError> {
        let username = username.to_owned();
        self.inner.readers.read(move |connection| user_of(connection, &username)).await
    }

    /// Every user, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let query = |connection: &Connection| {
            connection.prepare_cached(&format!("{USER} ORDER BY username"))?.query_map([], user)?.collect()
        };
        self.inner.readers.read(query).await
    }

    /// Adds a user. False when there is one of this name; nothing is changed then. Its token generation is at least that of
    /// `user`, and beyond those of every account that was removed.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn add_user(&self, user: User) -> Result<bool, StoreError> {
        self.write(true, move |session| {
            let added = session.connection.execute(
                "INSERT INTO users (username, password_hash, role, must_change_password, token_generation, stream_groups)
                 VALUES (?1, ?2, ?3, ?4, max(?5, coalesce((SELECT value FROM meta WHERE key = ?7), 0)), ?6)
                 ON CONFLICT DO NOTHING",
                params![
                    user.username,
                    user.password_hash,
                    user.role.as_str(),
                    user.must_change_password,
                    user.token_generation,
                    groups_to_text(user.groups.as_deref()),
                    NEXT_GENERATION,
                ],
            )?;
            Ok(added > 0)
        })
        .await
    }

    /// Changes a user; a new password ends every session of the account. The last administrator stays one, whoever
    /// asks at the same time, and an administrator has no groups.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn change_user(&self, username: &str, change: UserChange) -> Result<UserChanged, StoreError> {
        let username = username.to_owned();
        self.write(true, move |session| {
            let connection = session.connection;
            let Some(before) = user_of(connection, &username)? else { return Ok(UserChanged::NoSuchUser) };
            let mut after = before.clone();
            after.role = change.role.unwrap_or(after.role);
            if let Some(groups) = &change.groups {
                after.groups.clone_from(groups);
            }
            if after.role == Role::Admin {
                // An administrator sees everything: the configuration names everything.
                after.groups = None;
            }
            if let Some((hash, must_change)) = &change.password {
                after.password_hash.clone_from(hash);
                after.must_change_password = *must_change;
                after.token_generation += 1;
            }
            if before.role == Role::Admin && after.role != Role::Admin && is_last_admin(connection, &username)? {
                return Ok(UserChanged::LastAdmin);
            }
            if change.password.is_some() {
                connection.execute("DELETE FROM refresh_tokens WHERE username = ?1", [&username])?;
            }
            connection.execute(
                "UPDATE users SET password_hash = ?2, role = ?3, must_change_password = ?4, token_generation = ?5,
                     stream_groups = ?6 WHERE username = ?1",
                params![
                    username,
                    after.password_hash,
                    after.role.as_str(),
                    after.must_change_password,
                    after.token_generation,
                    groups_to_text(after.groups.as_deref()),
                ],
            )?;
            Ok(UserChanged::Done(after))
        })
        .await
    }

    /// Removes a user with its refresh tokens, unless it is the last administrator.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn remove_user(&self, username: &str) -> Result<UserChanged, StoreError> {
        let username = username.to_owned();
        self.write(true, move |session| {
            let connection = session.connection;
            let Some(user) = user_of(connection, &username)? else { return Ok(UserChanged::NoSuchUser) };
            if user.role == Role::Admin && is_last_admin(connection, &username)? {
                return Ok(UserChanged::LastAdmin);
            }
            connection.execute("DELETE FROM users WHERE username = ?1", [&username])?;
            // An account of the same name begins behind it, so that nothing of this one is good for that one.
            connection.execute(
                "INSERT INTO meta (key, value) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
                params![NEXT_GENERATION, user.token_generation + 1],
            )?;
            Ok(UserChanged::Done(user))
        })
        .await
    }

    /// Keeps a refresh token.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when its user is gone or the hash is there already.
    pub async fn put_refresh_token(&self, token: RefreshToken) -> Result<(), StoreError> {
        self.write(true, move |session| {
            session.connection.execute(
                "INSERT INTO refresh_tokens (hash, username, family, expires_ms) VALUES (?1, ?2, ?3, ?4)",
                params![token.hash, token.username, token.family, token.expires_at.as_millisecond()],
            )?;
            Ok(())
        })
        .await
    }

    /// Uses up the refresh token with this hash. Of two calls with the same hash only one gets it fresh.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn take_refresh_token(&self, hash: &str, now: Timestamp) -> Result<TakenToken, StoreError> {
        let hash = hash.to_owned();
        self.write(true, move |session| {
            let now_ms = now.as_millisecond();
            let found = session
                .connection
                .query_row(
                    "SELECT hash, username, family, expires_ms, used_ms FROM refresh_tokens WHERE hash = ?1 AND expires_ms > ?2",
                    params![hash, now_ms],
                    |row| Ok((refresh_token(row)?, row.get::<_, Option<i64>>(4)?)),
                )
                .optional()?;
            match found {
                None => Ok(TakenToken::Invalid),
                Some((token, Some(used_ms))) => Ok(TakenToken::Used { token, used_at: time(used_ms)? }),
                Some((token, None)) => {
                    let sql = "UPDATE refresh_tokens SET used_ms = ?2 WHERE hash = ?1";
                    session.connection.execute(sql, params![hash, now_ms])?;
                    Ok(TakenToken::Fresh(token))
                }
            }
        })
        .await
    }

    /// Revokes every token that came of one login; gives how many there were.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn revoke_refresh_family(&self, family: &str) -> Result<usize, StoreError> {
        let family = family.to_owned();
        self.write(true, move |session| {
            session.connection.execute("DELETE FROM refresh_tokens WHERE family = ?1", [&family])
        })
        .await
    }
}

fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    let role: String = row.get(2)?;
    Ok(User {
        username: row.get(0)?,
        password_hash: row.get(1)?,
        // A role that is not known may do the least.
        role: Role::parse(&role).unwrap_or(Role::Viewer),
        must_change_password: row.get(3)?,
        token_generation: row.get(4)?,
        groups: groups_of_text(row.get(5)?),
    })
}

fn user_of(connection: &Connection, username: &str) -> rusqlite::Result<Option<User>> {
    connection.prepare_cached(&format!("{USER} WHERE username = ?1"))?.query_row([username], user).optional()
}

fn is_last_admin(connection: &Connection, username: &str) -> rusqlite::Result<bool> {
    let others = "SELECT count(*) FROM users WHERE role = ?1 AND username <> ?2";
    connection.query_row(others, [Role::Admin.as_str(), username], |row| Ok(row.get::<_, i64>(0)? == 0))
}

/// NULL for every stream, else the names in a JSON list.
pub(super) fn groups_to_text(groups: Option<&[String]>) -> Option<String> {
    groups.map(|groups| serde_json::Value::from(groups).to_string())
}

/// Reads what [`groups_to_text`] writes; what cannot be read lets nothing be seen.
pub(super) fn groups_of_text(text: Option<String>) -> Option<Vec<String>> {
    text.map(|text| serde_json::from_str(&text).unwrap_or_default())
}

fn refresh_token(row: &Row<'_>) -> rusqlite::Result<RefreshToken> {
    Ok(RefreshToken { hash: row.get(0)?, username: row.get(1)?, family: row.get(2)?, expires_at: time(row.get(3)?)? })
}
