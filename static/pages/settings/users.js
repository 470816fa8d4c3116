// Who may sign in.

import { html, useRef, useState } from "../../lib/html.js";
import { ApiError, get, patch, post, remove } from "../../lib/api.js";
import { useAction, useAsked } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { MIN_PASSWORD_CHARS } from "../../lib/password.js";
import { me } from "../../lib/session.js";
import { Dialog } from "../../parts/dialog.js";
import { Problem, Waiting, ask, toast } from "../../parts/feedback.js";
import { Switch, TextField } from "../../parts/fields.js";
import { Icon } from "../../parts/icon.js";
import { useUnsaved } from "../../parts/unsaved.js";
import { same } from "./draft.js";
import { press, removing } from "./focus.js";
import { Once } from "./once.js";
import { Groups, RoleFields, groupsProblem } from "./role-fields.js";

const path = (name) => `/api/users/${encodeURIComponent(name)}`;

/** One that is read aloud and typed without mistakes: no letters that look alike. */
function madePassword() {
  const letters = "abcdefghjkmnpqrstuvwxyz23456789";
  const fair = 256 - (256 % letters.length);
  const found = [];
  while (found.length < 20) {
    const bytes = [...crypto.getRandomValues(new Uint8Array(32))].filter((byte) => byte < fair);
    found.push(...bytes.map((byte) => letters[byte % letters.length]));
  }
  return found.slice(0, 20).join("").replace(/(.{5})(?=.)/g, "$1-");
}

export default function Users() {
  const asked = useAsked(() => get("/api/users"), []);
  const [open, setOpen] = useState(null);
  const table = useRef(null);
  const [drop, dropping, error] = useAction((user) => removing(table, [user.username], async () => {
    await remove(path(user.username));
    await asked.reload();
    toast(s.removed(user.username));
  }));
  const s = t.settings.users;
  if (!asked.data) return html`<${Waiting} asked=${asked} />`;
  const { users } = asked.data;
  const close = () => setOpen(null);
  const done = async () => { await asked.reload(); };
  const sure = async (user) => {
    if (await ask({ title: s.removeTitle(user.username), text: s.removeText, action: t.settings.remove })) drop(user);
  };
  const admins = users.filter((user) => user.role === "admin").length;
  return html`
    <header class="sub"><h2>${s.title}</h2><button type="button" class="primary"
      onClick=${() => setOpen({ kind: "add" })}><${Icon} name="plus" /> ${s.add}</button></header>
    <p class="hint">${s.text}</p>
    <${Problem} error=${error} />
    <div class="box scroll"><table class="people stacks" ref=${table}>
      <caption class="unseen">${s.title}</caption>
      <thead><tr><th scope="col">${s.username}</th><th scope="col">${s.role}</th><th scope="col">${s.sees}</th>
        <th scope="col"><span class="unseen">${t.settings.actions}</span></th></tr></thead>
      <tbody>${users.map((user) => html`<tr key=${user.username} data-key=${user.username}>
        <th scope="row">${user.username} ${user.username === me.username && html`<span class="tag">${s.you}</span>`}
          ${user.must_change_password && html` <span class="hint">${s.mustChange}</span>`}</th>
        <td data-label=${s.role}>${t.roles[user.role]}</td><td data-label=${s.sees}><${Groups} ...${user} /></td>
        <td><div class="buttons">
          <button type="button" class="quiet" aria-label=${`${user.username}: ${s.edit}`}
            onClick=${() => setOpen({ kind: "edit", user })}>${s.edit}</button>
          ${user.username !== me.username && html`<button type="button" class="quiet" aria-label=${`${user.username}: ${s.reset}`}
            onClick=${() => setOpen({ kind: "reset", user })}>${s.reset}</button>`}
          ${!(user.role === "admin" && admins === 1) && html`<button type="button" class="quiet"
            aria-label=${`${user.username}: ${t.settings.remove}`} ...${press(dropping, () => sure(user))}>${t.settings.remove}</button>`}
        </div></td></tr>`)}</tbody>
    </table></div>
    ${admins === 1 && html`<p class="hint">${s.lastAdmin}</p>`}
    ${open?.kind === "add" && html`<${Add} close=${close} done=${done} />`}
    ${open?.kind === "edit" && html`<${Edit} user=${open.user} close=${close} done=${done} />`}
    ${open?.kind === "reset" && html`<${Reset} user=${open.user} close=${close} done=${done} />`}`;
}

const Told = ({ title, username, password, close }) => html`<${Once} title=${title} text=${t.settings.users.told(username)}
  label=${t.settings.users.password} value=${password} close=${close} />`;

const NEW = { username: "", access: { role: "viewer", groups: null }, own: false, password: "" };

function Add({ close, done }) {
  const [username, setUsername] = useState(NEW.username);
  const [access, setAccess] = useState(NEW.access);
  const [own, setOwn] = useState(NEW.own);
  const [password, setPassword] = useState(NEW.password);
  const [told, setTold] = useState(null);
  const s = t.settings.users;
  const [run, busy, error] = useAction(async () => {
    const wrong = groupsProblem(access.groups);
    if (wrong) throw new ApiError(422, "groups", wrong);
    const answer = await post("/api/users", { username: username.trim(), ...access, ...(own ? { password } : {}) });
    // First of all: it is not told again, whatever happens to the list.
    if (answer.password) setTold(answer.password);
    await done();
    if (answer.password) return;
    toast(s.added(answer.username));
    close();
  });
  const dirty = !same({ username, access, own, password }, NEW);
  useUnsaved(!told && (dirty || busy));
  if (told) return html`<${Told} title=${s.added(username.trim())} username=${username.trim()} password=${told}
    close=${close} />`;
  return html`<${Dialog} title=${s.add} onClose=${close} guard=${() => !busy && (!dirty || ask(t.unsaved))}>
    <form class="form" onSubmit=${(event) => { event.preventDefault(); if (!busy) run(); }}>
      <${TextField} label=${s.username} hint=${s.usernameHint} name="new-username" autocomplete="off" required autofocus
        pattern="[A-Za-z0-9._@+\\-]{1,64}"
        value=${username} onValue=${setUsername} />
      <${RoleFields} value=${access} onValue=${setAccess} problem=${error?.code === "groups" && groupsProblem(access.groups)} />
      <${Switch} label=${s.ownPassword} hint=${s.ownPasswordHint} name="own" value=${own} onValue=${setOwn} />
      ${own && html`<${TextField} label=${s.password} hint=${s.passwordHint(MIN_PASSWORD_CHARS)} name="new-password" type="password"
        autocomplete="new-password" required
        minlength=${MIN_PASSWORD_CHARS} value=${password} onValue=${setPassword} />`}
      <${Problem} error=${error?.code === "groups" ? null : error} />
      <div class="buttons"><button type="button" ...${press(busy, close)}>${t.cancel}</button><button class="primary"
        ...${press(busy)}>${s.add}</button></div>
    </form>
  <//>`;
}

function Edit({ user, close, done }) {
  const [access, setAccess] = useState({ role: user.role, groups: user.groups });
  const s = t.settings.users;
  const [run, busy, error] = useAction(async () => {
    const wrong = groupsProblem(access.groups);
    if (wrong) throw new ApiError(422, "groups", wrong);
    await patch(path(user.username), access);
    await done();
    toast(s.changed(user.username));
    close();
  });
  const own = user.username === me.username;
  const dirty = !same(access, { role: user.role, groups: user.groups });
  useUnsaved(dirty);
  return html`<${Dialog} title=${s.editTitle(user.username)} onClose=${close}
    guard=${() => !busy && (!dirty || ask(t.unsaved))}>
    <form class="form" onSubmit=${(event) => { event.preventDefault(); if (!busy) run(); }}>
      ${own && html`<p class="loud">${s.ownRole}</p>`}
      <${RoleFields} value=${access} onValue=${setAccess} problem=${error?.code === "groups" && groupsProblem(access.groups)} />
      <${Problem} error=${error?.code === "groups" ? null : error} />
      <div class="buttons"><button type="button" ...${press(busy, close)}>${t.cancel}</button><button class="primary"
        ...${press(busy)}>${t.save}</button></div>
    </form>
  <//>`;
}

function Reset({ user, close, done }) {
  const [told, setTold] = useState(null);
  const s = t.settings.users;
  const [run, busy, error] = useAction(async () => {
    const password = madePassword();
    await patch(path(user.username), { password });
    setTold(password);
    await done();
  });
  useUnsaved(!told && busy);
  if (told) return html`<${Told} title=${s.resetDone(user.username)} username=${user.username} password=${told}
    close=${close} />`;
  return html`<${Dialog} title=${s.resetTitle(user.username)} onClose=${close} guard=${() => !busy}>
    <p>${s.resetText}</p>
    <${Problem} error=${error} />
    <div class="buttons"><button type="button" ...${press(busy, close)}>${t.cancel}</button>
      <button type="button" class="primary" ...${press(busy, () => run())}>${s.reset}</button></div>
  <//>`;
}
