
// The second door's end of a widget's module, which begins with the drawing of front_end/panel.js.
/** The second door: an anywidget, which hides the picture above it. */
const OF_VSCODE = {
	"--jp-ui-font-color1": "--vscode-foreground",
	"--jp-border-color2": "--vscode-panel-border",
	"--jp-layout-color1": "--vscode-editor-background",
	"--jp-layout-color2": "--vscode-sideBar-background",
};

export default {
	render({ model, el }) {
		for (const [name, theirs] of Object.entries(OF_VSCODE)) {
			if (getComputedStyle(document.documentElement).getPropertyValue(theirs)) el.style.setProperty(name, `var(${theirs})`);
		}
		const card = mount(el, { send: (message) => model.send(message) });
		const hidden = new CSSStyleSheet();
		document.adoptedStyleSheets.push(hidden);
		const hear = (message) => {
			if (message.state) hidden.replaceSync(`.${CSS.escape(message.state.live)}{display:none}`);
			card.receive(message);
		};
		model.on("msg:custom", hear);
		model.send({ do: "hello" });
		return () => {
			model.off("msg:custom", hear);
			hidden.replaceSync("");
			card.dispose();
		};
	},
};
