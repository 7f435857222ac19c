// Records of steps in JupyterLab 4 and Notebook 7, drawn from their JSON: how the step ended, an error with what to try, all
// else folded. Switched off (`jupyter labextension disable ecr-widgets-records`), the saved picture shows. Made by hand like
// the extension of the panels, whose drawing it borrows.
(() => {
	const RECORD = "application/vnd.ecr-widgets.record+json", HTML = "text/html";
	const drawing = import(new URL("../../ecr-widgets/static/panel.js", document.currentScript.src).href);
	const STATES = new Map([["succeeded", ["✓", "ok"]], ["failed", ["✗", "bad"]], ["unknown", ["?", ""]], ["intended", ["…", ""]]]);
	const APART = ["planned", "copies_by_s", "warnings"]; // of an outcome: told elsewhere
	const COMMAND = /`(ecr-widgets [^`]+)`/g;
	const STYLE = `section.ecrw-record{
border:0;border-left:4px solid var(--warn);border-radius:0;padding:3px 12px;
&.ok{border-color:var(--ok)}
&.bad{border-color:var(--bad)}
.acts{gap:2px 10px}
details{border:0;padding:0}
details[open]>summary .mut{display:none}
summary .mut{font-weight:400}
summary{overflow:hidden;text-overflow:ellipsis;white-space:nowrap;max-width:100%}
dl{margin:2px 0 4px 15px}
dd{font:var(--mono)}
.note{margin:4px 0}
}
ecr-widgets-copy button{
font:inherit;padding:0 6px;border:1px solid var(--jp-border-color1);border-radius:4px;
color:var(--jp-ui-font-color1);background:var(--jp-layout-color1);cursor:pointer
}`;
	const sheet = new CSSStyleSheet();
	sheet.replaceSync(STYLE);
	document.adoptedStyleSheets.push(sheet);
	let scope;

	const isObject = (value) => value?.constructor === Object;
	const isEmpty = (value) => value == null || value === "" || (typeof value === "object" && !Object.keys(value).length);
	/** A value as people read it: lists a line each, what is within them on one line. */
	const told = (value, inner = false) => {
		if (typeof value === "boolean") return value ? "yes" : "no";
		if (value === null || typeof value !== "object") return String(value);
		const pairs = Object.entries(value).filter(([, each]) => !inner || !isEmpty(each));
		const lines = pairs.map(([name, each]) => (Array.isArray(value) ? "" : `${name}=`) + told(each, true));
		return lines.join(!inner ? "\n" : Array.isArray(value) ? "; " : ", ");
	};

	/** The record as it is saved; null where it has not ended or is no record, which the picture shows. */
	const ended = (saved) => {
		try {
			const record = typeof saved === "string" ? JSON.parse(saved) : saved;
			return isObject(record) && record.ended_at && record.version === 1 ? record : null;
		} catch {
			return null;
		}
	};

	/** The elements of a record. The words of its first line are the kernel's, and plots are taken from its picture. */
	function drawn(record, { data }, opened, { h, plain, whole, brief, copying, marked, TO_COPY }) {
		const step = plain(record.step), { error } = record;
		const [first] = String(data["text/plain"] ?? "").split("\n"), at = first.indexOf(` ${step} `);
		const [ownSign, colour] = STATES.get(record.state) ?? ["?", ""];
		const [sign, verdict] = at > 0 ? [first.slice(0, at), first.slice(at + step.length + 2)] : [ownSign, record.state];
		const inputs = members(record.inputs), outcome = members({ ...record.outcome, ...error?.targets });
		const { digest } = record.outcome ?? {};
		const head = h(
			"div.acts",
			h("span", h("b", `${plain(sign)} ${step}`), ` ${plain(verdict)}`),
			TO_COPY.test(digest) && h("span.mut", brief(digest), copying(digest, "digest")),
		);

		function members(value) {
			return Object.entries(isObject(value) ? value : {}).filter(([name, each]) => !isEmpty(each) && !APART.includes(name));
		}

		const named = (name) => plain(name === "asks" ? "calls" : name.replaceAll("_", " "));

		function failure({ message, hint, reasons, log }) {
			const what = hint && message.endsWith(`; ${hint}`) ? message.slice(0, -hint.length - 2) : message;
			const commands = [...String(hint ?? "").matchAll(COMMAND)].map(([, command]) => copying(command, "command"));
			return [
				h("div.note.bad", { role: "group", ariaLabel: "Error" }, h("span", whole(what)), hint && h("span.mut", `to try: ${whole(hint)}`, commands)),
				lines("Reasons", reasons),
				lines("Log", log),
			];
		}

		function lines(name, texts) {
			return Array.isArray(texts) && texts.length && h("ul", { tabIndex: 0, ariaLabel: `${name} of ${step}` }, texts.map((each) => h("li", whole(told(each, true)))));
		}

		function folded(name, pairs, isOpen) {
			if (!pairs.length) return null;
			const key = `${step} ${name}`;
			const values = pairs.map(([of, value]) => `${named(of)} ${brief(told(value, true))}`).join(" · ");
			const rows = pairs.flatMap(([of, value]) => {
				const text = told(value), label = named(of);
				const shown = Array.isArray(value) ? h("ul", value.map((each) => marked("li", told(each, true)))) : whole(text);
				return [h("dt", label), h("dd", shown, TO_COPY.test(text) && !text.includes("\n") && copying(text, label))];
			});
			const made = h("details", { open: opened.get(name) ?? isOpen }, h("summary", { "data-k": key, onclick: () => opened.set(name, !made.open) }, h("span", name), " ", h("span.mut", plain(values, 300))), h("dl", rows));
			return made;
		}

		const page = new DOMParser().parseFromString(String(data[HTML] ?? ""), HTML);
		const plots = [...page.images].filter((each) => /^data:image\/svg\+xml[;,]/.test(each.getAttribute("src")));
		const warnings = record.outcome?.warnings;
		const isList = outcome.some(([, value]) => Array.isArray(value));
		return h(
			`section.ecrw-record.${colour}`,
			{ ariaLabel: `${step} ${plain(record.state)}` },
			head,
			isObject(error) && failure(error),
			(Array.isArray(warnings) ? warnings : []).map((each) => h("div.note", `! ${whole(each)}`)),
			plots.map((each) => h("div", h("img", { src: each.getAttribute("src"), alt: plain(each.alt, 500) }))),
			folded("inputs", inputs, false),
			folded("outcome", outcome, isList || Boolean(record.outcome?.planned)),
		);
	}

	const made = ({ IRenderMimeRegistry }, { Panel }) => ({
		id: "ecr-widgets:records",
		autoStart: true,
		requires: [IRenderMimeRegistry],
		activate: (app, registry) => {
			class Record extends Panel {
				opened = new Map(); // what people folded or opened, by name

				/** What is pressed stays: a click needs one element. */
				constructor() {
					super();
					this.node.addEventListener("pointerdown", ({ button }) => {
						this.held = !button;
						addEventListener("pointerup", this.release, true);
					});
					this.node.addEventListener("pointercancel", this.release);
				}

				release = () => {
					this.held = false;
					if (this.late) setTimeout(() => this.late && this.renderModel(this.late));
				};

				async renderModel(model) {
					this.late = this.held ? model : null;
					if (this.held) return;
					const record = ended(model.data[RECORD]);
					try {
						const shown = record && drawn(record, model, this.opened, await drawing);
						if (shown) {
							this.picture?.dispose();
							this.picture = null;
							return this.node.replaceChildren(shown);
						}
					} catch {
						// What is no record of ours: the picture says what there is to say.
					}
					if (!this.picture) {
						this.node.replaceChildren();
						this.addWidget((this.picture = registry.createRenderer(HTML)));
					}
					await this.picture.renderModel(model);
				}
			}
			registry.addFactory({ safe: true, mimeTypes: [RECORD], defaultRank: -20, createRenderer: () => new Record() });
		},
	});

	/** In a form, which is made of widgets: a button that copies a text. Nothing where this extension is not. */
	customElements.define(
		"ecr-widgets-copy",
		class extends HTMLElement {
			async connectedCallback() {
				const { copying } = await drawing;
				this.replaceChildren(copying(this.getAttribute("text"), this.getAttribute("name")));
			}
		},
	);

	const shared = async (name) => (await Object.values(scope[name])[0].get())();
	(window._JUPYTERLAB ??= {})["ecr-widgets-records"] = {
		init: (given) => void (scope = given),
		get: async () => {
			const plugin = made(...(await Promise.all(["@jupyterlab/rendermime", "@lumino/widgets"].map(shared))));
			return () => ({ __esModule: true, default: plugin });
		},
	};
})();
