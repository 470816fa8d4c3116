//! Signing in and out: `/api/login`, `/api/refresh`, `/api/logout`, `/api/password`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::json as object;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::header::{HeaderValue, SET_COOKIE};
use warp::http::{Response as HttpResponse, StatusCode};
use warp::reply::{Reply, Response};

use super::Web;
use super::auth::{ACCESS_COOKIE, ACCESS_HINT_COOKIE, REFRESH_COOKIE, SESSION_HINT_COOKIE};
use super::call::{Call, call, json_body, optional_json_body};
use super::errors::{ApiError, json, respond, sentence, to_its_end};
use super::headers::cookie;
use super::passwords::{FIRST_USER, check_new_password, remove_initial_password};
use super::tokens::{ACCESS_LIFETIME, random_text, token_hash};
use crate::model::{RefreshToken, Role, Secret, User};
use crate::store::{TakenToken, UserChange, UserChanged};

/// How long a refresh token is good; every use gives a new one.
const REFRESH_LIFETIME: SignedDuration = SignedDuration::from_hours(30 * 24);
/// Within this time an exchanged refresh token is taken for a second tab of the same browser, not for a thief; it gets
/// nothing either way.
const JUST_NOW: SignedDuration = SignedDuration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    username: String,
    password: SecretText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    current_password: SecretText,
    new_password: SecretText,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refresh {
    refresh_token: Option<String>,
}

/// Reads into a [`Secret`], so that no `Debug` of a request shows it.
#[derive(Deserialize)]
#[serde(from = "String")]
pub(super) struct SecretText(pub(super) Secret);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

#[derive(Serialize)]
struct Answer<'a> {
    access_token: &'a str,
    expires_in: u64,
    refresh_token: &'a str,
    role: Role,
    must_change_password: bool,
}

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    let login = warp::path!("api" / "login")
        .and(warp::post())
        .and(call(web))
        .and(json_body())
        .then(|call: Call, body| async move { respond(login(call, body).await) });
    let refresh = warp::path!("api" / "refresh")
        .and(warp::post())
        .and(call(web))
        .and(optional_json_body())
        .then(|call: Call, body| async move { respond(refresh(call, body).await) });
    let logout = warp::path!("api" / "logout")
        .and(warp::post())
        .and(call(web))
        .and(optional_json_body())
        .then(|call: Call, body| to_its_end(async move { logout(call, body).await }));
    let password = warp::path!("api" / "password")
        .and(warp::post())
        .and(call(web))
        .and(json_body())
        .then(|call: Call, body| to_its_end(async move { password(call, body).await }));
    login.or(refresh).unify().or(logout).unify().or(password).unify().boxed()
}

async fn login(call: Call, body: Result<Login, ApiError>) -> Result<Response, ApiError> {
    let Login { username, password } = body?;
    let user = check(&call, &username, password.0).await?;
    open_session(&call, &user, None).await
}

/// The account, when the password is its own. Unknown names cost and say the same as wrong passwords.
async fn check(call: &Call, username: &str, password: Secret) -> Result<User, ApiError> {
    let address = call.address();
    call.web.slowdown.admit(username, address, Instant::now()).map_err(|wait| {
        let seconds = wait.as_secs() + 1;
        let message = format!("Too many wrong passwords; try again in {seconds} s.");
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", message).retry_after(seconds)
    })?;
    let user = call.web.parts.store.user(username).await?;
    let hash = user.as_ref().map(|user| user.password_hash.clone());
    let right = call.web.passwords.verify(password, hash).await?;
    match user {
        Some(user) if right => {
            call.web.slowdown.was_right(username, address);
            Ok(user)
        }
        _ => {
            tracing::warn!(%address, "a sign-in failed");
            Err(ApiError::unauthorized("wrong_password", "User name or password is wrong."))
        }
    }
}

async fn refresh(call: Call, body: Result<Refresh, ApiError>) -> Result<Response, ApiError> {
    let token = refresh_token(&call, body?)?;
    let store = &call.web.parts.store;
    let now = call.web.parts.clock.now();
    match store.take_refresh_token(&token_hash(&token), now).await? {
        TakenToken::Fresh(taken) => {
            let user = store.user(&taken.username).await?.ok_or_else(refused)?;
            open_session(&call, &user, Some(taken.family)).await
        }
        // Two tabs of one browser that refresh at once: the loser has the winner's cookies by now.
        TakenToken::Used { used_at, .. } if now.duration_since(used_at) < JUST_NOW => {
            Err(ApiError::new(StatusCode::CONFLICT, "already_refreshed", "This token was exchanged a moment ago."))
        }
        TakenToken::Used { token, .. } => {
            let (address, username) = (call.address(), &token.username);
            tracing::warn!(%address, username, "an old refresh token was used again; its session is ended");
            end(&call, &token.family).await?;
            Err(refused())
        }
        TakenToken::Invalid => Err(refused()),
    }
}

fn refused() -> ApiError {
    ApiError::unauthorized("refresh_refused", "The refresh token is not good any more; sign in again.")
}

/// From the body, else from the cookie, and then only with the header against forged requests.
fn refresh_token(call: &Call, body: Refresh) -> Result<String, ApiError> {
    if let Some(token) = body.refresh_token {
        return Ok(token);
    }
    let token = cookie(&call.headers, REFRESH_COOKIE)
        .ok_or_else(|| ApiError::unauthorized("unauthorized", "Send refresh_token, or sign in."))?;
    call.check_csrf()?;
    Ok(token.to_owned())
}

/// Ends the session. Signing out when nobody is signed in is no mistake.
async fn logout(call: Call, body: Result<Refresh, ApiError>) -> Result<Response, ApiError> {
    let body = body?;
    if let Ok(caller) = call.caller_of_any_kind().await
        && !caller.is_program()
    {
        end(&call, &caller.family).await?;
    }
    if let Ok(token) = refresh_token(&call, body) {
        match call.web.parts.store.take_refresh_token(&token_hash(&token), call.web.parts.clock.now()).await? {
            TakenToken::Fresh(token) | TakenToken::Used { token, .. } => end(&call, &token.family).await?,
            TakenToken::Invalid => {}
        }
    }
    let mut response = HttpResponse::new("").into_response();
    *response.status_mut() = StatusCode::NO_CONTENT;
    set_cookies(&call, &mut response, "", "", "", Duration::ZERO, Duration::ZERO)?;
    Ok(response)
}

async fn end(call: &Call, family: &str) -> Result<(), ApiError> {
    call.web.parts.store.revoke_refresh_family(family).await?;
    call.web.sessions.end_family(family);
    Ok(())
}

async fn password(call: Call, body: Result<NewPassword, ApiError>) -> Result<Response, ApiError> {
    let caller = call.caller_of_any_kind().await?;
    if caller.is_program() {
        return Err(ApiError::forbidden("no_password", "An API token has no password; revoke it and make another."));
    }
    let NewPassword { current_password, new_password } = body?;
    let user = check(&call, &caller.username, current_password.0.clone()).await?;
    let problem = match check_new_password(new_password.0.expose(), &user.username) {
        Ok(()) if new_password.0 == current_password.0 => {
            Err("the new password is the old one; take another".to_owned())
        }
        checked => checked,
    };
    problem.map_err(|message| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_password", sentence(&message)))?;
    let password_hash = call.web.passwords.hash_for_request(new_password.0).await?;
    let change = UserChange { password: Some((password_hash, false)), ..UserChange::default() };
    let UserChanged::Done(changed) = call.web.parts.store.change_user(&user.username, change).await? else {
        return Err(refused());
    };
    call.audit(&caller, "password.change", &changed.username, object!({})).await;
    call.web.sessions.forget(&changed.username);
    if changed.username == FIRST_USER {
        remove_initial_password(&call.web.parts.state_dir).await;
    }
    open_session(&call, &changed, None).await
}

/// New tokens, in the answer and as cookies.
async fn open_session(call: &Call, user: &User, family: Option<String>) -> Result<Response, ApiError> {
    let now = call.web.parts.clock.now();
    let family = match family {
        Some(family) => family,
        None => random_text().map_err(ApiError::internal)?,
    };
    let access = call
        .web
        .keys
        .current()
        .issue(&user.username, user.token_generation, &family, now)
        .map_err(ApiError::internal)?;
    let refresh = random_text().map_err(ApiError::internal)?;
    let stored = RefreshToken {
        hash: token_hash(&refresh),
        username: user.username.clone(),
        family: family.clone(),
        expires_at: now + REFRESH_LIFETIME,
    };
    let store = &call.web.parts.store;
    store.put_refresh_token(stored).await?;
    // The password may have been changed since the account was read; its new session must stay the only one.
    if store.user(&user.username).await?.is_none_or(|now| now.token_generation != user.token_generation) {
        end(call, &family).await?;
        return Err(refused());
    }
    call.web.sessions.forget(&user.username);
    let mut response = json(&Answer {
        access_token: &access,
        expires_in: ACCESS_LIFETIME.as_secs(),
        refresh_token: &refresh,
        role: user.role,
        must_change_password: user.must_change_password,
    });
    let hint = if user.must_change_password { "change" } else { "1" };
    set_cookies(call, &mut response, &access, &refresh, hint, ACCESS_LIFETIME, REFRESH_LIFETIME.unsigned_abs())?;
    Ok(response)
}

/// Beside the two tokens, two cookies that the dashboard may read and that hold no secret: they tell it whether there is
/// a session and whether its access token still lives, so that it need not ask and be refused.
fn set_cookies(
    call: &Call,
    response: &mut Response,
    access: &str,
    refresh: &str,
    hint: &str,
    access_age: Duration,
    refresh_age: Duration,
) -> Result<(), ApiError> {
    let secure = if call.is_tls() { "; Secure" } else { "" };
    for (name, value, path, age, http_only) in [
        (ACCESS_COOKIE, access, "/", access_age, "; HttpOnly"),
        (REFRESH_COOKIE, refresh, "/api", refresh_age, "; HttpOnly"),
        (SESSION_HINT_COOKIE, hint, "/", refresh_age, ""),
        (ACCESS_HINT_COOKIE, hint, "/", access_age, ""),
    ] {
        let cookie =
            format!("{name}={value}; Path={path}; Max-Age={}{http_only}; SameSite=Strict{secure}", age.as_secs());
        response.headers_mut().append(SET_COOKIE, HeaderValue::from_str(&cookie).map_err(ApiError::internal)?);
    }
    Ok(())
}
