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

const USER: &str = "SELECT username, password_hash, role, must_change_password, token_generation FROM users";

impl Store {
    /// The user of this name.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn user(&self, username: &str) -> Result<Option<User>, StoreError> {
        let username = username.to_owned();
        let query = move |connection: &Connection| {
            connection.prepare_cached(&format!("{USER} WHERE username = ?1"))?.query_row([username], user).optional()
        };
        self.inner.readers.read(query).await
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

    /// Adds a user or changes the one of this name. Its refresh tokens stay.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn put_user(&self, user: User) -> Result<(), StoreError> {
        self.write(true, move |session| {
            session.connection.execute(
                "INSERT INTO users (username, password_hash, role, must_change_password, token_generation)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET password_hash = excluded.password_hash, role = excluded.role,
                     must_change_password = excluded.must_change_password, token_generation = excluded.token_generation",
                params![
                    user.username,
                    user.password_hash,
                    user.role.as_str(),
                    user.must_change_password,
                    user.token_generation
                ],
            )?;
            Ok(())
        })
        .await
    }

    /// Removes a user with its refresh tokens. False when there was none.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn remove_user(&self, username: &str) -> Result<bool, StoreError> {
        let username = username.to_owned();
        self.write(true, move |session| {
            Ok(session.connection.execute("DELETE FROM users WHERE username = ?1", [&username])? > 0)
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

    /// Revokes every refresh token of a user; gives how many there were.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn revoke_refresh_tokens_of(&self, username: &str) -> Result<usize, StoreError> {
        let username = username.to_owned();
        self.write(true, move |session| {
            session.connection.execute("DELETE FROM refresh_tokens WHERE username = ?1", [&username])
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
    })
}

fn refresh_token(row: &Row<'_>) -> rusqlite::Result<RefreshToken> {
    Ok(RefreshToken { hash: row.get(0)?, username: row.get(1)?, family: row.get(2)?, expires_at: time(row.get(3)?)? })
}
