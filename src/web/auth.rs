//! Who is calling and what they may do: bearer token, cookie or signed link; account, role, groups.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use warp::http::HeaderMap;
use warp::http::header::AUTHORIZATION;

use super::call::Call;
use super::errors::ApiError;
use super::headers::cookie;
use super::links::{self, SIGNATURE};
use super::tokens::{ACCESS_LIFETIME, API_TOKEN_PREFIX, TokenError, token_hash};
use crate::model::{ApiToken, Role, Stream, User};

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
/// How often the last use of an API token is written down.
const NOTED_EVERY: Duration = Duration::from_secs(300);

/// Who is behind a request.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Name of the account, or `token:` and the name of the API token: for people and the audit log.
    pub(super) username: String,
    /// Under which the account is looked up again: its name, or `token:` and the API token's number. No account has a
    /// colon in its name.
    pub(super) subject: String,
    /// What it may do.
    pub(super) role: Role,
    /// The groups whose streams it sees; `None`: every stream.
    pub(super) groups: Option<Arc<[String]>>,
    /// The account's token generation.
    pub(super) generation: i64,
    /// Family of its refresh tokens; empty for what is no session.
    pub(super) family: String,
    /// When what it showed ends, seconds since 1970.
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

    /// True for an API token, which has no password and no session.
    pub(super) fn is_program(&self) -> bool {
        self.subject.starts_with(TOKEN_SUBJECT)
    }
}

/// Before the number of an API token.
const TOKEN_SUBJECT: &str = "token:";

/// What is known of an account or an API token.
#[derive(Clone, Debug)]
struct Account {
    name: String,
    role: Role,
    groups: Option<Arc<[String]>>,
    generation: i64,
    must_change_password: bool,
    /// Seconds since 1970.
    expires_at_second: Option<i64>,
}

impl Account {
    fn of_user(user: User) -> Self {
        Self {
            name: user.username,
            role: user.role,
            groups: user.groups.map(Arc::from),
            generation: user.token_generation,
            must_change_password: user.must_change_password,
            expires_at_second: None,
        }
    }

    fn of_token(token: ApiToken) -> Self {
        Self {
            name: format!("{TOKEN_SUBJECT}{}", token.name),
            role: token.role,
            groups: token.groups.map(Arc::from),
            generation: 0,
            must_change_password: false,
            expires_at_second: token.expires_at.map(Timestamp::as_second),
        }
    }
}

/// What is remembered between requests, so that one costs no look into the database.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// By subject. Only those of signed tokens get in, so there are no more than accounts and API tokens.
    accounts: Mutex<HashMap<String, (Instant, Account)>>,
    /// Numbers of API tokens by their hash: only of those that are there.
    programs: Mutex<HashMap<String, (Instant, i64)>>,
    /// When an API token's use was last noted.
    noted: Mutex<HashMap<i64, Instant>>,
    /// Families that were ended and whose last access tokens have not expired yet.
    ended: Mutex<HashMap<String, Instant>>,
}

impl Sessions {
    /// The account was changed: look it up again.
    pub(super) fn forget(&self, subject: &str) {
        lock(&self.accounts).remove(subject);
    }

    /// The API token was revoked.
    pub(super) fn forget_token(&self, id: i64) {
        self.forget(&format!("{TOKEN_SUBJECT}{id}"));
        lock(&self.programs).retain(|_, (_, known)| *known != id);
    }

    /// No access token of this family is good any more.
    pub(super) fn end_family(&self, family: &str) {
        let mut ended = lock(&self.ended);
        ended.retain(|_, since| since.elapsed() < ACCESS_LIFETIME);
        ended.insert(family.to_owned(), Instant::now());
    }

    fn has_ended(&self, family: &str) -> bool {
        lock(&self.ended).contains_key(family)
    }

    /// True when this use of an API token is to be written down: not every one is, an SD card wears.
    fn is_to_be_noted(&self, id: i64) -> bool {
        let mut noted = lock(&self.noted);
        let is_due = noted.get(&id).is_none_or(|at| at.elapsed() >= NOTED_EVERY);
        if is_due {
            noted.insert(id, Instant::now());
        }
        is_due
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// True while what the caller showed is good and means the same: for what goes on longer than one answer.
    pub(super) async fn is_still(&self, caller: &Caller) -> bool {
        match self.account(&caller.subject).await {
            Ok(account) => account.is_some_and(|account| {
                account.generation == caller.generation
                    && account.role == caller.role
                    && account.groups == caller.groups
                    && !self.web.sessions.has_ended(&caller.family)
            }),
            // The database is busy; that is no reason to hang up.
            Err(_) => true,
        }
    }

    async fn identify(&self) -> Result<(Caller, bool), ApiError> {
        if let Some(token) = bearer(&self.headers) {
            return if token.starts_with(API_TOKEN_PREFIX) {
                self.program(token).await
            } else {
                self.session(token).await
            };
        }
        // Before the cookie, which a browser also sends when it is not good any more.
        if let Some(signature) = self.query(SIGNATURE) {
            return self.signed_link(&signature).await;
        }
        if let Some(token) = cookie(&self.headers, ACCESS_COOKIE) {
            self.check_csrf()?;
            return self.session(token).await;
        }
        Err(ApiError::unauthorized("unauthorized", "Sign in: POST /api/login."))
    }

    /// Who has this access token.
    async fn session(&self, token: &str) -> Result<(Caller, bool), ApiError> {
        let keys = self.web.keys.current();
        let claims = keys.verify(token, self.web.parts.clock.now()).map_err(|error| match error {
            TokenError::Expired => ApiError::unauthorized("token_expired", "The access token has expired; refresh it."),
            TokenError::Invalid => {
                ApiError::unauthorized("token_invalid", "The access token is not one of this service.")
            }
        })?;
        let account = self.account(&claims.sub).await?;
        let account =
            account.filter(|a| a.generation == claims.generation && !self.web.sessions.has_ended(&claims.fam));
        let account = account.ok_or_else(revoked)?;
        Ok(as_caller(account, claims.sub, claims.fam, claims.exp))
    }

    /// Who has this API token.
    async fn program(&self, token: &str) -> Result<(Caller, bool), ApiError> {
        let hash = token_hash(token);
        let known = lock(&self.web.sessions.programs).get(&hash).copied();
        let id = match known.filter(|(since, _)| since.elapsed() < REMEMBERED) {
            Some((_, id)) => id,
            None => {
                let found = self.web.parts.store.api_token_by_hash(&hash).await?;
                let mut programs = lock(&self.web.sessions.programs);
                let Some(found) = found else {
                    programs.remove(&hash);
                    return Err(ApiError::unauthorized(
                        "token_invalid",
                        "The API token is none of this service, or revoked.",
                    ));
                };
                programs.insert(hash, (Instant::now(), found.id));
                found.id
            }
        };
        let subject = format!("{TOKEN_SUBJECT}{id}");
        let account = self.account(&subject).await?.ok_or_else(revoked)?;
        let now = self.web.parts.clock.now();
        let expires_at_second = account.expires_at_second.unwrap_or(i64::MAX);
        if expires_at_second <= now.as_second() {
            return Err(ApiError::unauthorized(
                "token_expired",
                "The API token has expired; an administrator makes another.",
            ));
        }
        if self.web.sessions.is_to_be_noted(id) {
            let store = self.web.parts.store.clone();
            tokio::spawn(async move {
                if let Err(error) = store.note_api_token_used(id, now).await {
                    tracing::debug!(%error, "the use of an API token is not noted");
                }
            });
        }
        Ok(as_caller(account, subject, String::new(), expires_at_second))
    }

    /// Who signed a link, when it is one to what is asked for.
    async fn signed_link(&self, signature: &str) -> Result<(Caller, bool), ApiError> {
        let refused = |why: &str| ApiError::unauthorized("link_refused", format!("The signed link {why}."));
        let keys = self.web.keys.current();
        let claims = keys.verify_link(signature, self.web.parts.clock.now()).map_err(|error| match error {
            TokenError::Expired => refused("has expired"),
            TokenError::Invalid => refused("is none of this service"),
        })?;
        if self.changes || claims.target != self.target_without(SIGNATURE) || !links::may_be_signed(self.path()) {
            return Err(refused("is for something else"));
        }
        let account = self.account(&claims.sub).await?.filter(|account| account.generation == claims.generation);
        let account = account.ok_or_else(|| refused("was signed by an account that is not good any more"))?;
        let expires_at_second = account.expires_at_second.map_or(claims.exp, |end| end.min(claims.exp));
        if expires_at_second <= self.web.parts.clock.now().as_second() {
            return Err(refused("was signed with an API token that has expired"));
        }
        Ok(as_caller(account, claims.sub, String::new(), expires_at_second))
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

    async fn account(&self, subject: &str) -> Result<Option<Account>, ApiError> {
        let accounts = &self.web.sessions.accounts;
        let known = lock(accounts).get(subject).filter(|(since, _)| since.elapsed() < REMEMBERED).cloned();
        if let Some((_, account)) = known {
            return Ok(Some(account));
        }
        let store = &self.web.parts.store;
        let account = match subject.strip_prefix(TOKEN_SUBJECT) {
            Some(id) => match id.parse() {
                Ok(id) => store.api_token(id).await?.map(Account::of_token),
                Err(_) => None,
            },
            None => store.user(subject).await?.map(Account::of_user),
        };
        let mut accounts = lock(accounts);
        match &account {
            Some(account) => accounts.insert(subject.to_owned(), (Instant::now(), account.clone())),
            None => accounts.remove(subject),
        };
        Ok(account)
    }
}

fn as_caller(account: Account, subject: String, family: String, expires_at_second: i64) -> (Caller, bool) {
    let Account { name, role, groups, generation, must_change_password, .. } = account;
    (Caller { username: name, subject, role, groups, generation, family, expires_at_second }, must_change_password)
}

fn revoked() -> ApiError {
    ApiError::unauthorized("token_revoked", "This session was ended; sign in again.")
}

/// The token of `Authorization: Bearer …`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
