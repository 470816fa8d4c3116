//! Who is calling and what they may do: bearer token or cookie, account, role.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use warp::http::HeaderMap;
use warp::http::header::AUTHORIZATION;

use super::call::Call;
use super::errors::ApiError;
use super::headers::cookie;
use super::tokens::{ACCESS_LIFETIME, TokenError};
use crate::model::{Role, Stream};

/// The dashboard's access token.
pub(super) const ACCESS_COOKIE: &str = "sp_access";
/// The dashboard's refresh token.
pub(super) const REFRESH_COOKIE: &str = "sp_refresh";
/// There as long as the refresh token; `change` while the first password must be changed. For the dashboard's scripts.
pub(super) const SESSION_HINT_COOKIE: &str = "sp_session";
/// There as long as the access token. For the dashboard's scripts.
pub(super) const ACCESS_HINT_COOKIE: &str = "sp_session_fresh";
/// A page of another site cannot set a header of its own without asking first, and is never allowed to.
pub(super) const CSRF_HEADER: &str = "x-streampulse";
/// How long an account is remembered: the command line changes accounts while the service runs.
const REMEMBERED: Duration = Duration::from_secs(2);

/// The account behind a request.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Its name.
    pub(super) username: String,
    /// What it may do.
    pub(super) role: Role,
    /// The groups whose streams it sees; `None`: every stream.
    pub(super) groups: Option<Arc<[String]>>,
    /// Family of its refresh tokens.
    pub(super) family: String,
    /// When its access token ends, seconds since 1970.
    pub(super) expires_at_second: i64,
}

impl Caller {
    /// True when the stream is one that this caller may know of.
    pub(super) fn sees(&self, stream: &Stream) -> bool {
        match &self.groups {
            None => true,
            Some(groups) => stream.group.as_ref().is_some_and(|group| groups.contains(group)),
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Account {
    role: Role,
    generation: i64,
    must_change_password: bool,
}

/// What is remembered between requests, so that one costs no look into the database.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// Only names of signed tokens get in, so there are no more than accounts.
    accounts: Mutex<HashMap<String, (Instant, Account)>>,
    /// Families that were ended and whose last access tokens have not expired yet.
    ended: Mutex<HashMap<String, Instant>>,
}

impl Sessions {
    /// The account was changed: look it up again.
    pub(super) fn forget(&self, username: &str) {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner).remove(username);
    }

    /// No access token of this family is good any more.
    pub(super) fn end_family(&self, family: &str) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.retain(|_, since| since.elapsed() < ACCESS_LIFETIME);
        ended.insert(family.to_owned(), Instant::now());
    }

    fn has_ended(&self, family: &str) -> bool {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).contains_key(family)
    }
}

impl Call {
    /// The caller, when the account may do what `needed` may do.
    pub(super) async fn caller(&self, needed: Role) -> Result<Caller, ApiError> {
        let (caller, must_change_password) = self.identify().await?;
        if must_change_password {
            return Err(ApiError::forbidden(
                "password_change_required",
                "Change the first password before anything else: POST /api/password.",
            ));
        }
        if caller.role < needed {
            let message = format!("This needs the role {}; yours is {}.", needed.as_str(), caller.role.as_str());
            return Err(ApiError::forbidden("forbidden", message));
        }
        Ok(caller)
    }

    /// The caller, also when the first password was not changed yet.
    pub(super) async fn caller_of_any_kind(&self) -> Result<Caller, ApiError> {
        Ok(self.identify().await?.0)
    }

    async fn identify(&self) -> Result<(Caller, bool), ApiError> {
        let token = match bearer(&self.headers) {
            Some(token) => token,
            None => {
                let token = cookie(&self.headers, ACCESS_COOKIE)
                    .ok_or_else(|| ApiError::unauthorized("unauthorized", "Sign in: POST /api/login."))?;
                self.check_csrf()?;
                token
            }
        };
        let claims = self.web.keys.verify(token, self.web.parts.clock.now()).map_err(|error| match error {
            TokenError::Expired => ApiError::unauthorized("token_expired", "The access token has expired; refresh it."),
            TokenError::Invalid => {
                ApiError::unauthorized("token_invalid", "The access token is not one of this service.")
            }
        })?;
        let account = self.account(&claims.sub).await?;
        let Some(account) =
            account.filter(|a| a.generation == claims.generation && !self.web.sessions.has_ended(&claims.fam))
        else {
            return Err(ApiError::unauthorized("token_revoked", "This session was ended; sign in again."));
        };
        let caller = Caller {
            username: claims.sub,
            role: account.role,
            groups: None,
            family: claims.fam,
            expires_at_second: claims.exp,
        };
        Ok((caller, account.must_change_password))
    }

    /// Refuses a change that a page of another site could have sent with the browser's cookies.
    pub(super) fn check_csrf(&self) -> Result<(), ApiError> {
        if self.changes && !self.headers.contains_key(CSRF_HEADER) {
            return Err(ApiError::forbidden(
                "csrf_header_missing",
                "With a cookie, a change needs the header X-StreamPulse: 1.",
            ));
        }
        Ok(())
    }

    async fn account(&self, username: &str) -> Result<Option<Account>, ApiError> {
        let accounts = &self.web.sessions.accounts;
        let known = accounts.lock().unwrap_or_else(PoisonError::into_inner).get(username).copied();
        if let Some((since, account)) = known
            && since.elapsed() < REMEMBERED
        {
            return Ok(Some(account));
        }
        let account = self.web.parts.store.user(username).await?.map(|user| Account {
            role: user.role,
            generation: user.token_generation,
            must_change_password: user.must_change_password,
        });
        let mut accounts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
        match account {
            Some(account) => accounts.insert(username.to_owned(), (Instant::now(), account)),
            None => accounts.remove(username),
        };
        Ok(account)
    }
}

/// The token of `Authorization: Bearer …`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
