// Cards in JupyterLab's launcher; Notebook 7 has none. An extension of its own, so it can be switched off alone:
// `jupyter labextension disable ecr-widgets-launcher`. Made by hand like that of the panels.
(() => {
	let scope;

	const CARDS = {
		release: ["Release", "Build, push, deploy and verify an image"],
		deploy: ["Deploy", "Deploy an image that is in the registry"],
		promote: ["Promote", "Copy an image by digest and deploy the copy"],
		rollback: ["Roll back", "Back to the last deploy that was verified"],
		scale: ["Scale", "Set the number of copies of a service"],
		task: ["Run a task", "Run an image once"],
		clean_up: ["Clean up", "Find and delete images that nothing uses"],
		audit: ["Audit", "Who deployed what, when and why"],
	};
	const ICON = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path fill="#1976d2" d="M3 4h18v16H3z"/><path fill="#fff" d="M6 9h5v5H6zm7 0h5v2h-5zm0 4h5v1h-5z"/></svg>';

	/** A card for each runbook of every day: opens its form in a notebook of its own beside what is open. */
	const cards = ({ ILauncher }, { LabIcon }) => ({
		id: "ecr-widgets:cards",
		autoStart: true,
		optional: [ILauncher],
		activate: ({ commands, serviceManager: { contents } }, launcher) => {
			if (!launcher) return;
			const icon = new LabIcon({ name: "ecr-widgets:runbook", svgstr: ICON });
			Object.entries(CARDS).forEach(([name, [label, caption]], rank) => {
				const command = `ecr-widgets:${name}`;
				const execute = async ({ cwd }) => {
					const file = `${name}-form.ipynb`, path = cwd ? `${cwd}/${file}` : file;
					const cell = { cell_type: "code", id: "form", metadata: {}, outputs: [], execution_count: null, source: `from ecr_widgets import open_form\nopen_form("${name}")` };
					const content = { cells: [cell], metadata: { kernelspec: { name: "python3", display_name: "Python 3" } }, nbformat: 4, nbformat_minor: 5 };
					const there = (await contents.get(cwd)).content.some((each) => each.name === file);
					if (!there) await contents.save(path, { type: "notebook", format: "json", content });
					const { context } = await commands.execute("docmanager:open", { path });
					await context.sessionContext.ready;
					return commands.execute("notebook:run-all-cells");
				};
				commands.addCommand(command, { label, caption, icon, execute });
				launcher.add({ command, category: "ecr-widgets", rank });
			});
		},
	});

	const shared = async (name) => (await Object.values(scope[name])[0].get())();
	(window._JUPYTERLAB ??= {})["ecr-widgets-launcher"] = {
		init: (given) => {
			scope = given;
		},
		get: async () => {
			const plugin = cards(...(await Promise.all(["@jupyterlab/launcher", "@jupyterlab/ui-components"].map(shared))));
			return () => ({ __esModule: true, default: plugin });
		},
	};
})();
