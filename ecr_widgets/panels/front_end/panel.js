// Draws a panel from its JSON and returns what people do; knows no kernel or front end. No markup and no inline
// styles, for a strict content security policy.
const PAGE = 12, WAIT_MS = 700;
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\p{DI}\u2800\u{13441}\u{13442}\u{16fe4}\u{1d159}]|(?! )\p{Zs}/gu;
const DIGEST = /sha256:([0-9a-f]{12})[0-9a-f]{52}/g;
const TIME = /^(\d{4}-\d\d-\d\d \d\d:\d\d) UTC \((?:.*, )?([^,()]*)\)$/;
const SIZE = /^([\d.]+) (B|kB|MB|GB)$/, UNITS = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 };
export const TO_COPY = /sha256:[0-9a-f]{64}|^[\w.-]+(:\d+)?\/[\w./-]+$/;
const PLANNED = /^(added|sets|removed|replaces|would|changed) /;
const STYLE = `.ecrw,.ecrw-record{
--fg:var(--jp-ui-font-color1,#1f2328);--mut:color-mix(in srgb,var(--fg) 74%,transparent);
--edge:1px solid var(--jp-border-color2,#d0d7de);--bg:var(--jp-layout-color1,#fff);--bg2:var(--jp-layout-color2,#f3f4f6);
--acc:#1976d2;--ok:#2e7d32;--bad:#c62828;--warn:#8a6d00;--mono:12px/1.5 var(--jp-code-font-family,monospace);
color:var(--fg);background:var(--bg);font:13px/1.5 var(--jp-ui-font-family,system-ui,sans-serif);border:var(--edge);border-radius:6px;margin:4px 0;overflow:hidden;
*{box-sizing:border-box}
[hidden]{display:none!important}
:focus-visible{outline:2px solid var(--acc);outline-offset:1px}
.head,.acts,.foot,.note,.bar{display:flex;flex-wrap:wrap;gap:6px 10px;align-items:center}
.head{padding:8px 12px;background:var(--bg2)}.head>b{line-height:2}.head>.mut{flex:1;white-space:nowrap}
.mut,.foot,dt,th button,.copy{color:var(--mut)}
input,select,textarea,button{font:inherit;color:var(--fg);background:var(--bg);border:1px solid var(--mut);border-radius:4px;padding:2px 8px;min-width:0}
[type=checkbox]{width:16px;height:16px;margin:4px 0;justify-self:start}
button{cursor:pointer}
button:hover:enabled{border-color:var(--acc)}button:disabled{opacity:.55;cursor:default}
.acts>[aria-expanded=true]{border-color:var(--acc);box-shadow:inset 0 -2px var(--acc)}
.main,.danger{background:#1565c0;color:#fff}.danger{background:#b71c1c}
.note,dd,details td{white-space:pre-wrap;overflow-wrap:anywhere}
.note{padding:5px 12px;border-left:4px solid var(--c,var(--warn))}
.bar,.head>.acts{flex-basis:100%}.note,.box,.drawer{scroll-margin:40px}progress{width:160px;height:10px}
.box{margin:8px 12px;border:var(--edge);border-left:4px solid var(--acc);border-radius:4px;padding:8px 12px;background:var(--bg)}
ul{margin:4px 0 8px;padding:0;list-style:none;font:var(--mono)}
.ok,.added,.sets{--c:var(--ok);--sign:"+ "}.bad,.removed,.replaces,.would{--c:var(--bad);--sign:"− "}.changed{--c:var(--warn);--sign:"~ "}
li{padding:0 6px;border-left:3px solid transparent}
li[class],details td[class]{border-left:3px solid var(--c);background:color-mix(in srgb,var(--c) 12%,transparent);&::before{content:var(--sign)}}
.scroll{overflow-x:auto;container-type:inline-size}
table{width:100%;border-collapse:collapse}
th,td{text-align:left;padding:3px 8px;border-bottom:var(--edge);white-space:nowrap;max-width:340px;&:first-child{padding-left:12px}}
th,td,.row,.chip,.head>.mut{overflow:hidden;text-overflow:ellipsis;vertical-align:middle}
th button,.row{border:0;background:none;padding:0;font-weight:600}
.open,tbody tr:hover,.drawer{background:var(--bg2)}
.row{max-width:100%;&::before{content:"▸ "/"";color:var(--mut)}&[aria-expanded=true]::before{content:"▾ "/""}}
.share{display:inline-block;height:8px;margin-right:6px;background:var(--acc);opacity:.6}
td:has(.chip){white-space:normal}
.chip{display:inline-block;max-width:100%;white-space:nowrap;border:1px solid var(--ok);border-radius:10px;padding:0 8px;margin-right:4px;&::before{content:"● "/"";color:var(--ok)}}
.copy{padding:0 6px;margin-left:6px;border:var(--edge)}
td.drawer{white-space:normal;max-width:none;padding:4px 12px 8px 26px;.box,.note{margin:8px 0 0}>*{position:sticky;left:26px;max-width:calc(100cqw - 66px)}>.acts{margin-top:6px}}
dl,.form{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:1px 14px;margin:4px 0}dd{margin:0}dt{white-space:nowrap;font-weight:400}
.box .box{border:0;padding:0;margin:0}
.form{grid-template-columns:max-content minmax(160px,420px) minmax(0,1fr);gap:5px 12px;align-items:center;margin:8px 12px;.acts{grid-column:2/4}}
.why{border-left:4px solid var(--bad);padding-left:8px}
.foot{padding:5px 12px}img{max-width:100%}
[data-jp-theme-light=false] & img{filter:brightness(1.4)}
details{border-top:var(--edge);padding:4px 12px;summary{font-weight:600}td{max-width:none;font:var(--mono);border:0}}
ul,details .scroll{max-height:180px;overflow:auto}
@media(max-width:620px){.form,dl{grid-template-columns:minmax(0,1fr);.acts{grid-column:1}}}
}`;
const sheet = new CSSStyleSheet();
sheet.replaceSync(STYLE);
document.adoptedStyleSheets.push(sheet);
let count = 0;

const list = (value) => (Array.isArray(value) ? value : []);
/** A text to read: characters that show nothing, or turn others around, are shown by number. */
export const plain = (value, longest = 500) => {
	const text = typeof value === "string" ? value : value == null ? "" : JSON.stringify(value);
	const cut = text.length > longest ? `${text.slice(0, longest)}… (${text.length} characters)` : text;
	return cut.replace(UNSEEN, (c) => (c === "\n" ? c : `\\u{${c.codePointAt(0).toString(16)}}`));
};
export const whole = (value) => plain(value, 4000);
export const brief = (text, longest) => plain(text.replace(DIGEST, "sha256:$1…"), longest);
const bytes = (text) => {
	const found = SIZE.exec(text);
	return found && found[1] * UNITS[found[2]];
};
/** Sizes by bytes; empty cells last. */
const compare = (x, y, sign) => {
	if (!x || !y) return !x - !y;
	const [a, b] = [bytes(x), bytes(y)];
	return sign * (a !== null && b !== null ? a - b : x.localeCompare(y, undefined, { numeric: true, sensitivity: "base" }));
};

/** An element such as `div.note.bad`, with properties and children. */
export function h(kind, ...rest) {
	const [tag, ...classes] = kind.split(".");
	const made = document.createElement(tag);
	if (classes.length) made.className = classes.join(" ");
	for (const each of rest.flat()) {
		if (each?.constructor === Object) {
			for (const [name, value] of Object.entries(each)) name in made ? (made[name] = value) : made.setAttribute(name, value);
		} else if (each) made.append(each);
	}
	return made;
}

const grid = (name, heads, lines) => h("table", { ariaLabel: name }, heads.length && h("thead", h("tr", heads)), h("tbody", lines));

function button(text, k, onclick, more = {}, kind = "button") {
	return h(kind, { type: "button", "data-k": k, onclick, ...more }, text);
}

export function copying(text, name) {
	const label = `Copy ${name}`;
	const made = button("copy", label + text, async (event) => {
		event.stopPropagation();
		made.textContent = await navigator.clipboard.writeText(text).then(() => "✓ copied", () => "not allowed");
		setTimeout(() => (made.textContent = "copy"), 1500);
	}, { title: label, ariaLabel: label }, "button.copy");
	return made;
}

/** A line of a plan; its first word gives it a sign and a colour. */
export const marked = (tag, line) => {
	const text = whole(line), word = PLANNED.exec(text);
	return h(word ? `${tag}.${word[1]}` : tag, text);
};

/** A panel in `node`. The host sends what people do. */
export function mount(node, host) {
	let data = {}; // as the notebook keeps it
	let state = null, rows = null, drawer = null; // what the kernel says, where the panel is live
	let words = "", by = -1, down = false, first = 0, page = [], texts = {};
	let chosen = null, open = ""; // the row whose drawer is open, the action whose form is
	let dead = false, waits = false, sent, seeing, told, over, held, late;
	const forms = new Map(), closed = new Set();

	const title = h("b"), summary = h("span.mut"), tools = h("span.acts"), top = h("div"), body = h("div.scroll");
	const foot = h("div.foot"), below = h("div");
	const filter = h("input", { type: "search", "data-k": "filter", placeholder: "filter  ( / )", ariaLabel: "Filter rows", oninput: () => search(filter.value) });
	const card = h("section.ecrw", { onkeydown: pressed, onpointerover: ({ target }) => (over = target.closest("form")), onpointerleave: () => (over = null), onpointerdown: press, onpointercancel: release }, h("div.head", title, summary, filter, tools), top, body, foot, below);
	node.replaceChildren(card);

	const shown = () => state ?? data;
	const keyOf = (row) => row[Number.isInteger(shown().key) ? shown().key : 0] ?? "";
	const formKey = ({ action, row }) => `${row ?? ""}\n${action}`;
	const focused = () => (card.contains(document.activeElement) ? document.activeElement.dataset.k : undefined);
	const focus = (k) => card.querySelector(`[data-k="${CSS.escape(k)}"]`)?.focus({ preventScroll: true });
	/** Scrolls as little as needed, never sideways. */
	const reveal = (what) => {
		const left = body.scrollLeft;
		what?.scrollIntoView({ block: "nearest" });
		body.scrollLeft = left;
	};
	const keeping = (drawn) => {
		const had = focused();
		drawn();
		// What was pressed may be gone: then what opened it.
		for (const k of had ? [had, open, `row ${chosen}`, "refresh"] : []) focused() ?? focus(k);
	};

	function send(message) {
		if (!state) return;
		sent ??= setTimeout(() => {
			waits = true;
			draw();
			host.ask?.();
		}, WAIT_MS);
		host.send(message);
	}

	function answered() {
		clearTimeout(sent);
		sent = undefined;
		waits = false;
	}

	function leaf(to) {
		first = to;
		keeping(table);
		clearTimeout(seeing);
		// Once nobody types: the kernel reads these rows.
		seeing = setTimeout(() => state && host.send({ do: "see", words, rows: page.map(keyOf) }), 300);
	}

	function search(text) {
		words = filter.value = text;
		leaf(0);
	}

	const draw = () =>
		(late = held) ||
		keeping(() => {
			const at = plain(shown().at).slice(0, 19).replace("T", " ");
			title.textContent = card.ariaLabel = plain(shown().title);
			summary.textContent = [plain(shown().note), at && `as of ${at} UTC`].filter(Boolean).join(" · ");
			tools.replaceChildren(...offered());
			const plots = list(shown().plots).map((p) => /^data:i/.test(p?.src) && h("img", { src: p.src, alt: plain(p.alt) }));
			top.replaceChildren(h("div", notices("")), h("div.foot", { hidden: !plots.length }, plots));
			table();
			const parts = JSON.stringify(shown().parts);
			if (parts !== told) below.replaceChildren(...list(shown().parts).flatMap(part));
			told = parts;
		});

	/** What is pressed stays: a click needs one element. */
	function press({ button }) {
		held = !button;
		addEventListener("pointerup", release, true);
	}

	function release() {
		held = false;
		if (late) setTimeout(draw);
	}

	function offered() {
		if (state) {
			const { watch } = state;
			const box = { type: "checkbox", "data-k": "watch", checked: watch, onchange: () => send({ do: "watch", on: !watch }) };
			return [
				...state.actions.map((action) => opener(action, "")),
				...(typeof watch === "boolean" ? [h("label.acts", h("input", box), "watch")] : []),
				...(state.refreshes ? [button("Refresh", "refresh", () => send({ do: "refresh" }))] : []),
			];
		}
		if (!dead || !data.live) return [];
		return [host.run ? button("Run the cell", "run", host.run) : h("span.mut", "run the cell to work with it")];
	}

	/** A button that acts, or opens the form of what needs values. */
	function opener(action, row) {
		const key = formKey({ action: action.name, row }), title = plain(action.hint);
		if (!action.fields.length) {
			const act = () => send({ do: "act", action: action.name, row, values: {} });
			return button(plain(action.label), key, act, { title, disabled: state.status });
		}
		const turn = () => {
			open = open === key ? "" : key;
			draw();
			if (open) forms.get(key)?.start();
		};
		return button(`${plain(action.label)} …`, key, turn, { title, ariaExpanded: String(open === key) });
	}

	function notices(row) {
		const { status, bars, problem, said, plan, at_row, run } = shown();
		const note = (kind, role, ...children) => h(`div.note${kind}`, { role }, ...children);
		const opened = page.some((each) => keyOf(each) === chosen) ? chosen : "";
		const found = [waits && opened === row && note("", "status", "waiting for the kernel …")];
		if ((at_row === opened ? opened : "") === row) {
			const cancel = () => send({ do: "cancel" });
			found.push(
				status && note("", "status", `… ${plain(status)}`, state && button("Cancel", "cancel", cancel), list(bars).map(bar)),
				problem && note(".bad", "alert", `✗ ${whole(problem)}`, run && saved(run)),
				said && note(".ok", "status", `✓ ${plain(said)}`, run && saved(run)),
				plan && planned(plan, row),
			);
			if (plan) return found;
		}
		const action = list(row ? drawer?.actions : state?.actions).find((each) => open === formKey({ action: each.name, row }));
		return action ? [filled(action, row), ...found] : found; // so that they move no field
	}

	/** An action's form; its fields stay while somebody types or points there. */
	function filled(action, row) {
		const key = formKey({ action: action.name, row }), known = forms.get(key);
		const fields = JSON.stringify(action.fields, (name, value) => (name === "labels" ? undefined : value));
		const isHeld = known?.node.isConnected && (known.typing || known.node === over);
		if (isHeld || known?.fields === fields) known.lock();
		else forms.set(key, form(action, row, key, fields, known));
		return forms.get(key).node;
	}

	const saved = ({ text, path }) => {
		const open = host.open && button("Open run", "open run", () => host.open(path));
		return h("span.acts", h("span.mut", plain(text)), open, copying(path, "path of the run"));
	};

	const bar = ({ text, share }) => {
		const name = plain(text);
		return h("span.bar", typeof share === "number" && h("progress", { max: 1, value: share, ariaLabel: name }), name);
	};

	function planned({ what, lines, confirm }, row) {
		const name = plain(what);
		const items = list(lines).map((line) => marked("li", line));
		return h("div.box", { role: "group", ariaLabel: `Plan: ${name}` }, h("b", `Planned: ${name}`), h("ul", { tabIndex: 0 }, items), filled({ ...confirm, back: true }, row));
	}

	/** Rows that match; what belongs to one stays below it. */
	function matching() {
		const of = list(rows ?? data.rows);
		if (texts.of !== of) {
			texts = { of, groups: [], used: new Set(), most: 1 };
			for (const each of of) {
				const row = list(each).map((cell) => (typeof cell === "string" ? cell : plain(cell)));
				row.forEach((cell, at) => cell && texts.used.add(at) && (texts.most = Math.max(texts.most, bytes(cell) ?? 0)));
				if (row[0]?.startsWith("└") && texts.groups.length) texts.groups.at(-1).push(row);
				else texts.groups.push([row]);
			}
		}
		const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
		const found = texts.groups.filter((group) => {
			group.text ??= group.flat().join("\n").toLowerCase();
			return wanted.every((word) => group.text.includes(word));
		});
		if (by >= 0) found.sort(([a], [b]) => compare(a[by], b[by], down ? -1 : 1));
		return found.flat();
	}

	function table() {
		const { columns, left_out: left } = shown(), names = list(columns).map((each) => plain(each));
		const found = matching(), total = texts.of.length;
		if (first >= found.length) first = 0;
		page = found.slice(first, first + PAGE);
		filter.hidden = total < 2 && !words;
		// What repeats the name, or no row has, is left to the drawer.
		const wide = [...names.keys()].filter((at) => !at || (names[at] !== "URI" && texts.used.has(at) && (at > 1 || names[0])));
		const heads = wide.map((at) => {
			if (!names[at]) at = 1; // a sign, beside its word
			const sign = by !== at ? "" : down ? " ▾" : " ▴";
			const sort = () => {
				[by, down] = [at, by === at && !down];
				keeping(table);
			};
			return h("th", { scope: "col", ariaSort: sign ? (down ? "descending" : "ascending") : "none" }, button(names[at] + sign, `sort ${at}`, sort));
		});
		const lines = page.flatMap((row) => line(row, wide, names));
		body.replaceChildren(names.length ? grid(card.ariaLabel, heads, lines) : "");
		const turn = (sign, name, to) =>
			button(sign, name, () => leaf(to), { ariaLabel: name, disabled: to < 0 || to >= found.length });
		const count = found.length ? `${first + 1}–${first + page.length} of ${found.length}` : total ? "no row matches" : "no rows";
		const more = left > 0 ? `, ${left} more are not ${state ? "listed: filter to find them" : "saved here"}` : "";
		const turns = found.length > PAGE ? [turn("‹", "Previous rows", first - PAGE), turn("›", "Next rows", first + PAGE)] : [];
		foot.hidden = !names.length || !(turns.length || more || !found.length || words);
		foot.replaceChildren(h("span", { role: "status" }, count + more), ...turns);
	}

	function line(row, wide, names) {
		const key = keyOf(row), isOpen = chosen === key;
		const cells = wide.map((at, number) => {
			const text = row[at] ?? "", time = TIME.exec(text);
			const cell = h("td", { title: plain(text) });
			if (!number) {
				const turn = (event) => event.stopPropagation() ?? choose(key);
				const name = brief(names[0] ? text : `${text} ${row[1]}`) || "–";
				cell.append(button(name, `row ${key}`, turn, { ariaExpanded: String(isOpen) }, "button.row"));
			} else if (/^(service|task) /.test(text)) {
				cell.append(...text.split(", ").slice(0, 4).map((use) => h("span.chip", brief(use.replace(/^service /, "")))));
			} else if (/^sha256:[0-9a-f]{64}$/.test(text)) {
				cell.append(text.slice(7, 19), copying(text, names[at]));
				cell.lastChild.tabIndex = -1; // the drawer has it too, for the keyboard
			} else {
				if (names[at] === "size") {
					const share = h("span.share");
					share.style.width = `${(60 * (bytes(text) ?? 0)) / texts.most}px`;
					cell.append(share);
				}
				cell.append(brief(time ? time[state ? 2 : 1] : text));
			}
			return cell;
		});
		const onclick = () => String(getSelection()) || choose(key);
		return [h(isOpen ? "tr.open" : "tr", { onclick }, cells), isOpen && h("tr", h("td.drawer", { colSpan: wide.length }, inside(row, key, names)))];
	}

	function choose(key) {
		const close = chosen === key;
		chosen = close ? null : key;
		drawer = null;
		if (!open.startsWith("\n")) open = "";
		send({ do: "open", row: close ? "" : key });
		draw();
		focus(`row ${key}`);
		reveal(card.querySelector(".drawer"));
	}

	function inside(row, key, names) {
		const mine = drawer?.row === key ? drawer : null;
		const cells = names.map((name, at) => [name, row[at], TO_COPY.test(row[at])]);
		const facts = list(mine?.facts).map(([name, text]) => [plain(name), text, true]);
		const pairs = [...cells, ...facts].flatMap(([name, text, copy]) => (name && text ? [h("dt", name), h("dd", whole(text), copy && copying(text, name))] : []));
		return [h("dl", pairs), mine && h("div.acts", mine.actions.map((action) => opener(action, key))), ...(state ? notices(key) : [])];
	}

	function part({ title, columns, rows, left_out }) {
		const name = plain(title), isPlan = name.startsWith("Planned: ");
		if (state && (isPlan || name === "Last action")) return []; // said above
		const heads = list(columns).map((each) => h("th", { scope: "col" }, plain(each)));
		const lines = list(rows).map((row) => h("tr", list(row).map((cell) => (isPlan ? marked("td", cell) : h("td", whole(cell))))));
		const made = h(
			"details",
			{ open: !closed.has(name) },
			h("summary", { "data-k": `part ${name}`, onclick: () => closed[made.open ? "add" : "delete"](name) }, name + (left_out ? ` (${left_out} not shown)` : "")),
			h("div.scroll", { tabIndex: 0, role: "region", ariaLabel: name }, grid(name, heads, lines)),
		);
		return [made];
	}

	function pressed(event) {
		const { key, target } = event;
		if (event.ctrlKey || event.metaKey || event.altKey) return;
		event.stopPropagation();
		const names = [...body.querySelectorAll(".row")], at = names.indexOf(target);
		const to = at < 0 ? undefined : { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: names.length - 1 }[key];
		if (target === filter && key === "ArrowDown") names[0]?.focus();
		else if (to !== undefined) (names[to] ?? (to < 0 ? filter : target)).focus();
		else if (key === "/" && !target.matches("input,textarea,select")) filter.focus();
		else if (key === "Escape") leave();
		else return;
		event.preventDefault();
	}

	function leave() {
		const form = open;
		if (form) {
			open = "";
			draw();
			focus(form);
		} else if (chosen !== null) choose(chosen);
		else search("");
	}

	/** The fields of one action, with what was typed before, which is sent and never saved. */
	function form(action, row, key, offered, earlier) {
		const fields = new Map(), typed = { ...earlier?.typed }, made = { fields: offered, typing: earlier?.typing, typed };
		let asked = 0, asking;
		const values = () => Object.fromEntries([...fields].map(([name, { input, at }]) => [name, input[at]]));
		const isShort = () => [...made.node.elements].some((each) => each.validity.valueMissing);
		const ask = (what) => send({ do: what, action: action.name, row, values: values(), asked: (asked += 1) });
		made.lock = () => (go.disabled = isShort() || !why.hidden || state?.status);
		made.judge = ({ problem, asked: of = asked }) => {
			if (of !== asked) return;
			why.textContent = plain(problem);
			why.hidden = !problem;
			made.lock();
		};
		const check = () => {
			for (const { field, input, label, hint } of fields.values()) {
				const [other, value] = field.when, by = fields.get(other)?.input;
				input.hidden = label.hidden = hint.hidden = by && (by.hidden || by.value !== value);
				input.required = field.required && !input.hidden;
			}
			made.judge({});
			clearTimeout(asking);
			if (!isShort()) asking = setTimeout(() => ask("check"), 150);
		};
		made.fill = (put) => {
			for (const [name, { field, input, at }] of fields) {
				if (!(name in put)) continue;
				const [other, wanted] = field.when;
				typed[name] = input[at] = put[name];
				if (input.selectedIndex < 0) input.value = field.value; // no choice any more
				if (other && put[name] && !(other in put)) fields.get(other).input.value = wanted;
			}
			check();
		};
		made.start = () => {
			made.node.querySelector("input,select,textarea")?.focus();
			reveal(made.node);
		};
		const parts = action.fields.map((field) => {
			const { kind, name } = field, id = `ecrw-${(count += 1)}`;
			const input = h(/choice|list/.test(kind) ? "select" : kind === "lines" ? "textarea" : "input", { id, "data-k": `${key}\n${name}`, spellcheck: false });
			if (kind === "list") input.size = 6;
			const at = { tick: "checked", number: "valueAsNumber" }[kind] ?? "value";
			if (kind === "tick") input.type = "checkbox";
			if (kind === "number") Object.assign(input, { type: kind, min: field.least, max: field.most });
			const options = kind === "text" ? h("datalist", { id: `${id}-options` }) : null;
			const label = h("label", { htmlFor: id }, plain(field.label)), hint = h("span.mut", plain(field.hint), options);
			(options ?? input).append(...field.options.map((value, number) => h("option", { value }, !options && plain(field.labels[number] ?? value))));
			if (options) input.setAttribute("list", options.id);
			input[at] = field.value;
			fields.set(name, { field, input, label, hint, at });
			input.oninput = () => {
				typed[name] = input[at];
				made.typing = true;
				check();
			};
			return [label, input, hint];
		});
		// So that Enter in any field is the same.
		const submits = { type: "submit", title: plain(action.hint) };
		const go = button(plain(action.go), `${key}\n`, null, submits, action.danger ? "button.danger" : "button.main");
		const why = h("span.why", { role: "alert" });
		const acts = h("div.acts", go, action.back && button("Discard plan", "discard", () => send({ do: "discard" })), why);
		made.node = h("form.box.form", { ariaLabel: plain(action.label), noValidate: true }, parts.flat(), acts);
		made.node.onsubmit = (event) => {
			event.preventDefault();
			clearTimeout(asking);
			if (go.disabled) return;
			made.typing = false;
			ask("act");
		};
		made.fill(typed);
		return made;
	}

	return {
		show(saved) {
			data = saved?.constructor === Object ? saved : {};
			draw();
		},
		/** Nothing answers. */
		die() {
			answered();
			dead = true;
			state = rows = drawer = null;
			open = "";
			draw();
		},
		receive({ state: said, rows: all, drawer: opened, bars, closed: done, values, checked }) {
			answered();
			if (checked) return forms.get(formKey(checked))?.judge(checked);
			if (all) rows = list(all);
			if (said) {
				const joined = !state;
				if (joined && said.words && !words) words = filter.value = said.words;
				state = said;
				// What was done before.
				if (joined && chosen !== null) host.send({ do: "open", row: chosen });
				if (joined && words) leaf(first);
			}
			if (bars && state) state.bars = bars;
			if (opened?.row === chosen) drawer = opened;
			const key = done && formKey(done);
			if (done && !forms.get(key)?.typing && forms.delete(key) && open === key) open = "";
			if (values) forms.get(formKey(values))?.fill(values.values);
			draw();
			if (said?.moved && !forms.get(open)?.typing) reveal(card.querySelector(".note,.box:not(.form)"));
		},
		dispose() {
			clearTimeout(sent);
			clearTimeout(seeing);
		},
	};
}
