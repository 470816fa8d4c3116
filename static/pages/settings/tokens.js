// Keys for programs, and the key that signs everyone's sessions.

import { html, useRef, useState } from "../../lib/html.js";
import { ApiError, get, post, remove } from "../../lib/api.js";
import { age, date, dateTime } from "../../lib/format.js";
import { useAction, useAsked } from "../../lib/hooks.js";
import { t } from "../../lib/language.js";
import { live } from "../../lib/live.js";
import { Dialog } from "../../parts/dialog.js";
import { Empty, Problem, Waiting, ask, toast } from "../../parts/feedback.js";
import { Choice, TextField } from "../../parts/fields.js";
import { Icon } from "../../parts/icon.js";
import { useUnsaved } from "../../parts/unsaved.js";
import { same } from "./draft.js";
import { press, removing } from "./focus.js";
import { Once } from "./once.js";
import { Groups, RoleFields, groupsProblem } from "./role-fields.js";

const ENDS = ["30", "90", "365", "", "other"];
const NEW = { name: "", access: { role: "viewer", groups: null }, ends: "365", days: "" };

export default function Tokens() {
  const asked = useAsked(() => get("/api/tokens"), []);
  const [adding, setAdding] = useState(false);
  const s = t.settings.tokens;
  const table = useRef(null);
  const [drop, dropping, error] = useAction((token) => removing(table, [String(token.id)], async () => {
    await remove(`/api/tokens/${token.id}`);
    await asked.reload();
    toast(s.revoked(token.name));
  }));
  if (!asked.data) return html`<${Waiting} asked=${asked} />`;
  const { tokens } = asked.data;
  const sure = async (token) => {
    if (await ask({ title: s.revokeTitle(token.name), text: s.revokeText, action: s.revoke })) drop(token);
  };
  const ago = (time) => html`<span title=${dateTime(time)}>${age(live.secondsSince(time))}</span>`;
  return html`
    <header class="sub"><h2>${s.title}</h2><button type="button" class="primary" onClick=${() => setAdding(true)}>
      <${Icon} name="plus" /> ${s.add}</button></header>
    <p class="hint">${s.text}</p>
    <${Problem} error=${error} />
    <div class="box">${tokens.length === 0 ? html`<${Empty} icon="key" title=${s.noneTitle}><p>${s.noneText}</p><//>` : html`<div
      class="scroll"><table class="people stacks" ref=${table}>
      <caption class="unseen">${s.title}</caption>
      <thead><tr><th scope="col">${s.name}</th><th scope="col">${t.settings.users.role}</th>
        <th scope="col">${t.settings.users.sees}</th>
        <th scope="col">${s.made}</th><th scope="col">${s.used}</th><th scope="col">${s.ends}</th>
        <th scope="col"><span class="unseen">${t.settings.actions}</span></th></tr></thead>
      <tbody>${tokens.map((token) => html`<tr key=${token.id} data-key=${token.id}>
        <th scope="row">${token.name}</th><td data-label=${t.settings.users.role}>${t.roles[token.role]}</td>
        <td data-label=${t.settings.users.sees}><${Groups} ...${token} /></td>
        <td data-label=${s.made}>${ago(token.created_at)}, ${token.created_by}</td>
        <td data-label=${s.used}>${token.last_used_at ? ago(token.last_used_at) : s.never}</td>
        <td data-label=${s.ends}>${token.expired ? html`<span class="state" data-state="down">
          <${Icon} name="clock" /> ${s.expired}</span>`
          : token.expires_at ? html`<span title=${dateTime(token.expires_at)}>${date(token.expires_at)}</span>` : s.never}</td>
        <td><div class="buttons"><button type="button" class="quiet" aria-label=${`${token.name}: ${s.revoke}`}
          ...${press(dropping, () => sure(token))}>${s.revoke}</button></div></td></tr>`)}</tbody>
    </table></div>`}</div>
    <${Danger} />
    ${adding && html`<${Add} close=${() => setAdding(false)} done=${asked.reload} />`}`;
}

function Danger() {
  const s = t.settings.tokens;
  const [run, busy, error] = useAction(async () => {
    await post("/api/tokens/rotate-secret");
    toast(s.rotated);
  });
  const sure = async () => {
    if (await ask({ title: s.rotateTitle, text: s.rotateText, action: s.rotate })) run();
  };
  return html`<section class="box danger-zone"><h2>${s.danger}</h2>
    <p>${s.rotateWhat}</p>
    <${Problem} error=${error} />
    <div><button type="button" class="danger" ...${press(busy, sure)}>${s.rotate}</button></div>
  </section>`;
}

function Add({ close, done }) {
  const [name, setName] = useState(NEW.name);
  const [access, setAccess] = useState(NEW.access);
  const [ends, setEnds] = useState(NEW.ends);
  const [days, setDays] = useState(NEW.days);
  const [told, setTold] = useState(null);
  const s = t.settings.tokens;
  const [run, busy, error] = useAction(async () => {
    const wrong = groupsProblem(access.groups);
    if (wrong) throw new ApiError(422, "groups", wrong);
    const wanted = ends === "other" ? days : ends;
    const end = wanted ? { expires_in_days: Number(wanted) } : {};
    const answer = await post("/api/tokens", { name: name.trim(), ...access, ...end });
    // First of all: it is not told again, whatever happens to the list.
    setTold(answer.token);
    await done();
  });
  const dirty = !same({ name, access, ends, days }, NEW);
  useUnsaved(!told && (dirty || busy));
  if (told) {
    return html`<${Once} title=${s.addedTitle(name.trim())} text=${s.told} label=${s.token} value=${told} close=${close}>
      <p class="hint">${s.usage}</p>
        <pre class="sample">${`curl -H "Authorization: Bearer ${told.slice(0, 6)}…" ${location.origin}/api/status`}</pre>
    <//>`;
  }
  return html`<${Dialog} title=${s.add} onClose=${close} guard=${() => !busy && (!dirty || ask(t.unsaved))}>
    <form class="form" onSubmit=${(event) => { event.preventDefault(); if (!busy) run(); }}>
      <${TextField} label=${s.name} hint=${s.nameHint} name="token-name" autocomplete="off" required autofocus
        pattern="[A-Za-z0-9._@+\\-]{1,64}"
        value=${name} onValue=${setName} />
      <${RoleFields} value=${access} onValue=${setAccess} problem=${error?.code === "groups" && groupsProblem(access.groups)} />
      <div class="pair">
        <${Choice} label=${s.ends} name="ends" value=${ends} onValue=${setEnds}
          options=${ENDS.map((value) => [value, s.endsAfter[value || "never"]])} />
        ${ends === "other" && html`<${TextField} label=${s.days} name="days" type="number" min="1" max="3650" required
          value=${days} onValue=${setDays} />`}
      </div>
      ${ends === "" && html`<p class="hint">${s.endless}</p>`}
      <${Problem} error=${error?.code === "groups" ? null : error} />
      <div class="buttons"><button type="button" ...${press(busy, close)}>${t.cancel}</button><button class="primary"
        ...${press(busy)}>${s.add}</button></div>
    </form>
  <//>`;
}
