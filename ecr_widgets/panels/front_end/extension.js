// For JupyterLab 4 and Notebook 7. A prebuilt extension made by hand: its end is what `jupyter labextension build` makes
// of one plugin.
(() => {
	const PANEL = "application/vnd.ecr-widgets.panel+json", TARGET = "ecr-widgets";
	const drawing = import(new URL("panel.js", document.currentScript.src).href);
	const links = new Map(); // by panel: all cards that show one share its comm
	let scope;

	const isOpen = async (kernel, id) => id in ((await kernel.requestCommInfo({ target_name: TARGET })).content.comms ?? {});

	/** The panel's comm with its cards; null where another kernel ran the cell. */
	async function join(kernel, id, card) {
		const isKnown = () => links.get(id)?.kernel === kernel;
		if (!isKnown() && (!(await isOpen(kernel, id)) || kernel.isDisposed)) return null;
		if (!isKnown()) {
			const comm = kernel.createComm(TARGET, id), cards = new Set();
			comm.onMsg = (message) => cards.forEach((each) => each.receive(message.content.data));
			links.set(id, { kernel, comm, cards });
		}
		const link = links.get(id);
		link.cards.add(card);
		link.comm.send({ do: "hello" });
		return link;
	}

	const made = ({ IRenderMimeRegistry }, { Widget }, { INotebookTracker, NotebookActions }) => {
		let tracker, commands;

		class Panel extends Widget {
			async renderModel(model) {
				const { mount } = await drawing;
				if (this.isDisposed) return;
				const run = model.trusted ? () => this.run() : null;
				this.card ??= mount(this.node, { send: (message) => this.link?.comm.send(message), ask: () => this.ask(), run, open: (path) => this.open(path) });
				let saved = model.data[PANEL];
				try {
					if (typeof saved === "string") saved = JSON.parse(saved);
				} catch {
					saved = { title: "This panel cannot be read" };
				}
				this.card.show(saved);
				this.panel = saved?.live;
				this.connect();
			}

			onAfterAttach() {
				this.connect();
			}

			/** Join the kernel that the panel is live in. */
			async connect() {
				const { card, panel } = this;
				const notebook = tracker?.find((each) => each.node.contains(this.node));
				if (!card || typeof panel !== "string" || !notebook) return;
				const context = notebook.sessionContext;
				if (!this.notebook) {
					context.kernelChanged.connect(this.again, this);
					context.statusChanged.connect(this.heard, this);
				}
				this.notebook = notebook;
				await context.ready;
				const kernel = context.session?.kernel ?? null;
				if (this.isDisposed || this.kernel === kernel) return;
				this.kernel = kernel;
				const link = kernel && (await join(kernel, panel, card).catch(() => null));
				if (this.isDisposed || this.kernel !== kernel) return;
				this.link = link;
				if (!link) card.die();
			}

			again() {
				this.leave();
				this.connect();
			}

			heard(_, status) {
				if (/restarting|terminating|dead/.test(status)) this.leave();
			}

			/** Whether the kernel is only busy: one that was restarted elsewhere does not know the panel. */
			async ask() {
				if (this.link && !(await isOpen(this.kernel, this.panel))) this.leave();
			}

			leave() {
				if (this.link) links.delete(this.panel);
				this.link = null;
				this.card?.die();
			}

			run() {
				const { content, sessionContext } = this.notebook;
				content.activeCellIndex = content.widgets.findIndex((cell) => cell.node.contains(this.node));
				content.deselectAll();
				NotebookActions.run(content, sessionContext);
			}

			/** Open a path from where the notebook is. */
			open(path) {
				const { pathname } = new URL(path, `file:///${this.notebook.context.path}`);
				commands.execute("docmanager:open", { path: decodeURI(pathname.slice(1)) });
			}

			dispose() {
				if (this.isDisposed) return;
				this.link?.cards.delete(this.card);
				this.card?.dispose();
				super.dispose(); // with its connections to signals
			}
		}

		return {
			id: "ecr-widgets:panels",
			autoStart: true,
			requires: [IRenderMimeRegistry],
			optional: [INotebookTracker],
			activate: (app, registry, notebooks) => {
				[tracker, commands] = [notebooks, app.commands];
				registry.addFactory({ safe: true, mimeTypes: [PANEL], defaultRank: -20, createRenderer: () => new Panel() });
			},
		};
	};

	const shared = async (name) => (await Object.values(scope[name])[0].get())();
	(window._JUPYTERLAB ??= {})["ecr-widgets"] = {
		init: (given) => void (scope = given),
		get: async () => {
			const plugin = made(...(await Promise.all(["@jupyterlab/rendermime", "@lumino/widgets", "@jupyterlab/notebook"].map(shared))));
			return () => ({ __esModule: true, default: plugin });
		},
	};
})();
