//! Keys for programs. Only their hashes are kept.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::accounts::{groups_of_text, groups_to_text};
use super::codes::time;
use super::{Store, StoreError};
use crate::model::{ApiToken, Role};

const TOKEN: &str =
    "SELECT id, name, role, stream_groups, created_ms, created_by, expires_ms, last_used_ms FROM api_tokens";

impl Store {
    /// Keeps a token under its hash and gives its number (that in `token` counts nothing); `None` when there is one of
    /// this name.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn add_api_token(&self, hash: String, token: ApiToken) -> Result<Option<i64>, StoreError> {
        self.write(true, move |session| {
            let added = session.connection.execute(
                "INSERT INTO api_tokens (hash, name, role, stream_groups, created_ms, created_by, expires_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (name) DO NOTHING",
                params![
                    hash,
                    token.name,
                    token.role.as_str(),
                    groups_to_text(token.groups.as_deref()),
                    token.created_at.as_millisecond(),
                    token.created_by,
                    token.expires_at.map(Timestamp::as_millisecond),
                ],
            )?;
            Ok((added > 0).then(|| session.connection.last_insert_rowid()))
        })
        .await
    }

    /// Every token, expired ones included, in the order in which they were made.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn api_tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        let query = |connection: &Connection| {
            connection.prepare_cached(&format!("{TOKEN} ORDER BY id"))?.query_map([], token)?.collect()
        };
        self.inner.readers.read(query).await
    }

    /// The token of this hash.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn api_token_by_hash(&self, hash: &str) -> Result<Option<ApiToken>, StoreError> {
        let hash = hash.to_owned();
        let query = move |connection: &Connection| {
            connection.prepare_cached(&format!("{TOKEN} WHERE hash = ?1"))?.query_row([hash], token).optional()
        };
        self.inner.readers.read(query).await
    }

    /// The token of this number.
    ///
    /// # Errors
    /// [`StoreError`] when the database cannot be read.
    pub async fn api_token(&self, id: i64) -> Result<Option<ApiToken>, StoreError> {
        let query = move |connection: &Connection| {
            connection.prepare_cached(&format!("{TOKEN} WHERE id = ?1"))?.query_row([id], token).optional()
        };
        self.inner.readers.read(query).await
    }

    /// Revokes a token for good; gives what it was, `None` when there is none of this number.
    ///
    /// # Errors
    /// [`StoreError`] when it is not on the disk.
    pub async fn revoke_api_token(&self, id: i64) -> Result<Option<ApiToken>, StoreError> {
        self.write(true, move |session| {
            let sql = "DELETE FROM api_tokens WHERE id = ?1
                       RETURNING id, name, role, stream_groups, created_ms, created_by, expires_ms, last_used_ms";
            session.connection.query_row(sql, [id], token).optional()
        })
        .await
    }

    /// Notes that a token was shown.
    ///
    /// # Errors
    /// [`StoreError`] when it is not committed.
    pub async fn note_api_token_used(&self, id: i64, at: Timestamp) -> Result<(), StoreError> {
        self.write(false, move |session| {
            let sql = "UPDATE api_tokens SET last_used_ms = ?2 WHERE id = ?1";
            session.connection.execute(sql, params![id, at.as_millisecond()]).map(drop)
        })
        .await
    }
}

fn token(row: &Row<'_>) -> rusqlite::Result<ApiToken> {
    let role: String = row.get(2)?;
    Ok(ApiToken {
        id: row.get(0)?,
        name: row.get(1)?,
        // A role that is not known may do the least.
        role: Role::parse(&role).unwrap_or(Role::Viewer),
        groups: groups_of_text(row.get(3)?),
        created_at: time(row.get(4)?)?,
        created_by: row.get(5)?,
        expires_at: row.get::<_, Option<i64>>(6)?.map(time).transpose()?,
        last_used_at: row.get::<_, Option<i64>>(7)?.map(time).transpose()?,
    })
}
