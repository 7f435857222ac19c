"""A form that is open while the panel learns something new."""

from __future__ import annotations

from playwright.sync_api import Browser, Locator, Page, expect

from tests.panels.conftest import CHECKOUT, Lab, new_page
from tests.panels.looks import check, in_view

FIRST_DEPLOY = """
import pathlib, threading, time
from tests.panels.world import kit
kit = kit()
panel = kit.deploys('demo', 'fresh')
def deploy():
    while not pathlib.Path('go').exists():
        time.sleep(0.1)
    image = kit.find_image('team/app', '1.39').image
    kit.wait(kit.deploy_service('demo', 'fresh', kit.create_deploy('fresh', 'Dockerrun.aws.json', image=image)))
    panel.refresh()
threading.Thread(target=deploy, daemon=True).start()
panel
"""
"""The service's first deploy, by somebody else, once there is a file `go`."""


def opened(lab: Lab) -> tuple[Page, Locator]:
    """The panel before that, its form open; and the form's field for an image."""
    lab.write("fresh.ipynb", FIRST_DEPLOY)
    page = lab.open("fresh.ipynb", page=lab.page(900))
    lab.run_all(page)
    expect(page.get_by_text("does not exist yet").first).to_be_visible()
    page.get_by_role("button", name="Deploy …").click()
    image = page.get_by_label("Image", exact=True)
    expect(image).to_be_focused()
    return page, image


def test_what_is_typed_stays_while_a_first_deploy_ends(quiet_lab: Lab) -> None:
    """The fields, the focus and their place too; they can still be sent; opened anew, the form has the new fields and the
    typed text.
    """
    page, image = opened(quiet_lab)
    page.keyboard.type("team/app:")
    before = image.bounding_box()
    (quiet_lab.folder / "go").touch()
    expect(page.get_by_role("button", name="Roll back …")).to_be_visible()
    expect(page.get_by_text("1 of 1 copies run").first).to_be_visible()
    page.keyboard.type("1.3")
    expect(image).to_be_focused()
    expect(image).to_have_value("team/app:1.3")
    assert image.bounding_box() == before
    expect(page.get_by_label("Document", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Plan deploy …").click()
    in_view(page.get_by_role("button", name="Confirm: deploy team/app:1.3 to demo/fresh"))
    page.get_by_role("button", name="Discard plan").click()
    expect(page.get_by_label("Document", exact=True)).to_have_value("a file")
    expect(image).to_have_value("team/app:1.3")
    check(page)
    assert quiet_lab.complaints == []


def test_nothing_moves_under_the_pointer(quiet_lab: Lab) -> None:
    """A form that somebody points at keeps its fields, and those their place; once the pointer is elsewhere, it has the new."""
    page, image = opened(quiet_lab)
    image.hover()
    before = image.bounding_box()
    (quiet_lab.folder / "go").touch()
    expect(page.get_by_role("button", name="Roll back …")).to_be_visible()
    expect(page.get_by_text("1 of 1 copies run").first).to_be_visible()
    assert image.bounding_box() == before
    expect(page.get_by_label("Document", exact=True)).to_have_count(0)
    page.get_by_role("button", name="Refresh", exact=True).click()
    expect(page.get_by_label("Document", exact=True)).to_have_value("what runs now")
    expect(image).to_be_hidden()
    assert quiet_lab.complaints == []


def test_a_button_that_is_pressed_while_something_changes_acts(quiet_lab: Lab) -> None:
    """What the panel learns between the press and the release of a button is shown after it, so that the click counts."""
    page, _ = opened(quiet_lab)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Deploy …").hover()
    page.mouse.down()
    (quiet_lab.folder / "go").touch()
    # Nothing that can be seen says that the panel has it, which is the point.
    page.wait_for_timeout(4_000)
    page.mouse.up()
    expect(page.get_by_label("Document", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Roll back …")).to_be_visible()
    assert quiet_lab.complaints == []


EARLY = """
async (source) => {
	const { mount } = await import(`data:text/javascript;charset=utf-8,${encodeURIComponent(source)}`);
	const sent = [], node = document.body, send = (message) => sent.push(message);
	const panel = mount(node, { send });
	panel.show({ title: "Images", columns: ["tag"], rows: [["1.0"], ["2.0"]] });
	node.querySelector(".row").click();
	node.querySelector("input").value = "1.";
	node.querySelector("input").dispatchEvent(new Event("input"));
	const early = sent.length;
	panel.receive({ state: { title: "Images", columns: ["tag"], actions: [] }, rows: [["1.0"], ["2.0"]] });
	await new Promise((done) => setTimeout(done, 600));
	return [early, sent];
}
"""


def test_what_is_clicked_and_typed_before_the_kernel_answers_is_sent(browser: Browser) -> None:
    """A row that was opened and a filter that was typed while the panel was still joining its kernel reach the kernel."""
    page = new_page(browser)
    source = (CHECKOUT / "ecr_widgets/panels/front_end/panel.js").read_text()
    early, sent = page.evaluate(EARLY, source)
    page.context.close()
    assert early == 0
    assert sent == [{"do": "open", "row": "1.0"}, {"do": "see", "words": "1.", "rows": ["1.0"]}]
