//! `/api/users`: who may sign in, with which role, and which groups they see. And `/api/me`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::header::{HeaderValue, LOCATION};
use warp::http::{Response as HttpResponse, StatusCode};
use warp::reply::{Reply, Response};

use super::Web;
use super::auth::Caller;
use super::call::{Call, call, json_body};
use super::errors::{ApiError, json, json_with, respond, sentence, to_its_end};
use super::passwords::{FIRST_USER, check_new_password, generate, remove_initial_password};
use super::session::SecretText;
use crate::model::{Role, Secret, User, check_account_name};
use crate::store::{UserChange, UserChanged};

/// The routes of this file.
pub(super) fn routes(web: &Arc<Web>) -> BoxedFilter<(Response,)> {
    let me = warp::path!("api" / "me")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(me(call).await) });
    let list = warp::path!("api" / "users")
        .and(warp::get())
        .and(call(web))
        .then(|call: Call| async move { respond(list(call).await) });
    let add = warp::path!("api" / "users")
        .and(warp::post())
        .and(call(web))
        .and(json_body::<NewUser>())
        .then(|call: Call, body| to_its_end(async move { add(call, body).await }));
    let one = warp::path!("api" / "users" / String)
        .and(warp::get())
        .and(call(web))
        .then(|name: String, call: Call| async move { respond(one(call, &name).await) });
    let change = warp::path!("api" / "users" / String)
        .and(warp::patch())
        .and(call(web))
        .and(json_body::<Change>())
        .then(|name: String, call: Call, body| to_its_end(async move { change(call, &name, body).await }));
    let remove = warp::path!("api" / "users" / String)
        .and(warp::delete())
        .and(call(web))
        .then(|name: String, call: Call| to_its_end(async move { remove(call, &name).await }));
    me.or(list).unify().or(add).unify().or(one).unify().or(change).unify().or(remove).unify().boxed()
}

/// An account that somebody wants to add.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    username: String,
    /// Without one it is made, and told once.
    password: Option<SecretText>,
    #[serde(default = "least")]
    role: Role,
    groups: Option<Vec<String>>,
    /// Default true: whoever made the account knows the password.
    must_change_password: Option<bool>,
}

fn least() -> Role {
    Role::Viewer
}

/// What is to be different about an account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    role: Option<Role>,
    /// Absent: they stay; `null`: every stream.
    #[serde(default, deserialize_with = "present")]
    groups: Option<Option<Vec<String>>>,
    password: Option<SecretText>,
    must_change_password: Option<bool>,
}

/// Tells `null` from a key that is not there.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Vec<String>>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Who is asking.
async fn me(call: Call) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Viewer).await?;
    Ok(json(&json!({
        "username": caller.username,
        "role": caller.role,
        "groups": caller.groups.as_deref(),
        "is_token": caller.is_program(),
    })))
}

async fn list(call: Call) -> Result<Response, ApiError> {
    call.caller(Role::Admin).await?;
    let users: Vec<Value> = call.web.parts.store.users().await?.iter().map(view).collect();
    Ok(json(&json!({"users": users})))
}

async fn one(call: Call, name: &str) -> Result<Response, ApiError> {
    call.caller(Role::Admin).await?;
    let user = call.web.parts.store.user(name).await?.ok_or_else(|| no_such(name))?;
    Ok(json(&view(&user)))
}

async fn add(call: Call, body: Result<NewUser, ApiError>) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Admin).await?;
    let NewUser { username, password, role, groups, must_change_password } = body?;
    check_account_name(&username).map_err(|problem| bad(&problem))?;
    let groups = check_groups(role, groups)?;
    let made = password.is_none();
    let password = match password {
        Some(password) => password.0,
        None => Secret::new(generate().map_err(ApiError::internal)?),
    };
    check_new_password(password.expose(), &username).map_err(|problem| bad(&problem))?;
    let user = User {
        username,
        password_hash: call.web.passwords.hash_for_request(password.clone()).await?,
        role,
        groups,
        must_change_password: must_change_password.unwrap_or(true),
        token_generation: 0,
    };
    if !call.web.parts.store.add_user(user.clone()).await? {
        let message = format!("There is an account {:?} already.", user.username);
        return Err(ApiError::new(StatusCode::CONFLICT, "user_exists", message));
    }
    call.audit(&caller, "user.create", &user.username, json!({"role": role, "groups": user.groups})).await;
    let mut answer = view(&user);
    if made {
        answer["password"] = json!(password.expose());
    }
    let mut response = json_with(StatusCode::CREATED, &answer);
    if let Ok(location) = HeaderValue::from_str(&format!("/api/users/{}", user.username)) {
        response.headers_mut().insert(LOCATION, location);
    }
    Ok(response)
}

async fn change(call: Call, name: &str, body: Result<Change, ApiError>) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Admin).await?;
    let Change { role, groups, password, must_change_password } = body?;
    let before = call.web.parts.store.user(name).await?.ok_or_else(|| no_such(name))?;
    let role_then = role.unwrap_or(before.role);
    let groups = groups.map(|groups| check_groups(role_then, groups)).transpose()?;
    let mut keys = Vec::new();
    let password = match password {
        Some(password) => {
            check_new_password(password.0.expose(), name).map_err(|problem| bad(&problem))?;
            keys.push("password");
            let hash = call.web.passwords.hash_for_request(password.0).await?;
            // One's own is known to nobody else.
            Some((hash, must_change_password.unwrap_or(caller.username != name)))
        }
        None if must_change_password.is_some() => {
            return Err(bad("must_change_password goes with a new password"));
        }
        None => None,
    };
    keys.extend(role.map(|_| "role"));
    keys.extend(groups.as_ref().map(|_| "groups"));
    let has_new_password = password.is_some();
    let changed = call.web.parts.store.change_user(name, UserChange { role, groups, password }).await?;
    let user = done(&call, name, changed)?;
    if has_new_password && name == FIRST_USER {
        remove_initial_password(&call.web.parts.state_dir).await;
    }
    audit(&call, &caller, "user.change", &user, json!({"changed": keys, "role": user.role, "groups": user.groups}))
        .await;
    Ok(json(&view(&user)))
}

async fn remove(call: Call, name: &str) -> Result<Response, ApiError> {
    let caller = call.caller(Role::Admin).await?;
    let changed = call.web.parts.store.remove_user(name).await?;
    let user = done(&call, name, changed)?;
    audit(&call, &caller, "user.remove", &user, json!({"role": user.role})).await;
    Ok(no_content())
}

async fn audit(call: &Call, caller: &Caller, action: &'static str, user: &User, details: Value) {
    call.audit(caller, action, &user.username, details).await;
}

/// What a change came to; whoever is signed in with the account is looked up again.
fn done(call: &Call, name: &str, changed: UserChanged) -> Result<User, ApiError> {
    match changed {
        UserChanged::Done(user) => {
            call.web.sessions.forget(name);
            Ok(user)
        }
        UserChanged::NoSuchUser => Err(no_such(name)),
        UserChanged::LastAdmin => {
            let message = "This is the last administrator; make another one first.";
            Err(ApiError::new(StatusCode::CONFLICT, "last_administrator", message))
        }
    }
}

fn view(user: &User) -> Value {
    json!({
        "username": user.username,
        "role": user.role,
        "groups": user.groups,
        "must_change_password": user.must_change_password,
    })
}

/// Most groups of one account, and the longest name of one in characters.
const MAX_GROUPS: usize = 100;
const MAX_GROUP_CHARS: usize = 200;

/// The groups of an account or token, when they make sense.
pub(super) fn check_groups(role: Role, groups: Option<Vec<String>>) -> Result<Option<Vec<String>>, ApiError> {
    let Some(groups) = groups else { return Ok(None) };
    let fits = |group: &String| !group.trim().is_empty() && group.chars().count() <= MAX_GROUP_CHARS;
    if role == Role::Admin {
        Err(bad("an administrator sees every stream; leave groups out, or take the role operator or viewer"))
    } else if groups.is_empty() {
        Err(bad("groups is empty, so nothing would be seen; leave it out for every stream"))
    } else if groups.len() > MAX_GROUPS || !groups.iter().all(fits) {
        Err(bad(&format!("groups holds at most {MAX_GROUPS} names of 1 to {MAX_GROUP_CHARS} characters")))
    } else {
        Ok(Some(groups))
    }
}

/// 422 with one clause.
pub(super) fn bad(problem: &str) -> ApiError {
    ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_account", sentence(problem))
}

fn no_such(name: &str) -> ApiError {
    let shown: String = name.chars().take(64).collect();
    ApiError::not_found("no_such_user", format!("There is no account {shown:?}."))
}

/// 204.
pub(super) fn no_content() -> Response {
    let mut response = HttpResponse::new("").into_response();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
