"""The dashboard in a real browser, on a real server."""
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from formulas import BLOCKS, HOSTILE, LAYERS

PATIENCE = 20


def wait(browser, condition):
    """What `condition(browser)` gives once it is true."""
    return WebDriverWait(browser, PATIENCE, poll_frequency=0.1, ignored_exceptions=[Exception]).until(condition)


def texts(browser, selector):
    return [node.text for node in browser.find_elements(By.CSS_SELECTOR, selector)]


def has(selector):
    return lambda browser: browser.find_elements(By.CSS_SELECTOR, selector)


def open_page(browser, server, fragment=""):
    browser.get(server.url + "/" + fragment)
    wait(browser, lambda b: texts(b, "#live") == ["live"])
    wait(browser, has("#run-plots path.line"))


def errors(browser):
    """What the browser complained about, but for answers of 401 and 403, which belong to signing in."""
    severe = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    return [message for message in severe if "status of 401" not in message and "status of 403" not in message]


def choose_layer(browser, name):
    def click(_):
        for button in browser.find_elements(By.CSS_SELECTOR, "#layers td button"):
            if button.text == name:
                button.click()
                return True
        return False

    wait(browser, click)
    wait(browser, lambda b: texts(b, "#layer-head .name") and name in texts(b, "#layer-head .name")[0])


def test_overview(browser, new_server):
    open_page(browser, new_server())
    assert set(texts(browser, "#runs td:first-child")) == {"GPT small, seed 3", "<b>exploded</b> & gone"}
    wait(browser, lambda b: len(texts(b, "#layers td:first-child")) == len(LAYERS) + len(BLOCKS) + 1)
    wait(browser, has(".alert"))
    [alert] = browser.find_elements(By.CSS_SELECTOR, "#alerts > .alert")
    for piece in ("CRITICAL", "sigma1 grows out of proportion", "3.1-fold", "spectral.sigma1", "14.2", "9.1"):
        assert piece in alert.text
    assert len(browser.find_elements(By.CSS_SELECTOR, "#run-plots .marker-head")) == 2
    assert browser.title == "(2) foreshock"
    assert not errors(browser)


def test_families_of_a_layer_and_a_block(browser, new_server):
    open_page(browser, new_server())
    choose_layer(browser, "blocks.1.mlp.gate_proj")
    wait(browser, lambda b: len(texts(b, "#layer-plots .plot")) == 4)
    wait(browser, lambda b: len(b.find_elements(By.CSS_SELECTOR, "#layer-plots path.line")) == 4)
    assert texts(browser, "#layer-plots .title") == [
        "Spectrum: σ₁ and σ₂", "Rotation from initialization", "Alignment: SA diversity", "Alignment: tokens by SA",
    ]  # fmt: skip
    choose_layer(browser, "blocks.1.mlp")
    wait(browser, lambda b: len(b.find_elements(By.CSS_SELECTOR, "#layer-plots path.line")) == 5)
    painted = (
        "const c = document.querySelector('#layer-plots canvas'); return c.width > 0 && "
        "c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((byte) => byte > 0)"
    )
    wait(browser, lambda b: b.execute_script(painted))
    assert not errors(browser)


def test_hostile_names_are_text(browser, new_server):
    open_page(browser, new_server())
    choose_layer(browser, HOSTILE)
    wait(browser, lambda b: len(b.find_elements(By.CSS_SELECTOR, "#layer-plots path.line")) == 4)
    assert HOSTILE in texts(browser, ".chip")
    browser.find_element(By.CSS_SELECTOR, "#runs tr:not(.chosen) td button").click()
    wait(browser, lambda b: "<b>exploded</b> & gone" in texts(b, "#run-head .name")[0])
    assert not browser.find_elements(By.CSS_SELECTOR, "img, b:not(.tip b)")
    assert "owned" not in browser.title
    assert not errors(browser)


def test_a_run_is_left_while_its_figures_are_on_the_way(browser, new_server):
    """The series of a layer of the one run come after the other run was chosen, which has no such layer."""
    open_page(browser, new_server())
    browser.execute_script("""
        const fetched = window.fetch, gate = new Promise((open) => { window.openGate = open; });
        window.held = 0;
        window.fetch = async (url, ...rest) => {
          if (String(url).includes("/series")) { window.held++; await gate; }
          return fetched(url, ...rest);
        };""")
    choose_layer(browser, HOSTILE)
    wait(browser, lambda b: b.execute_script("return window.held") >= 2)  # the run's own, the layer's
    browser.find_element(By.CSS_SELECTOR, "#runs tr:not(.chosen) td button").click()
    browser.execute_script("window.openGate()")
    wait(browser, lambda b: "<b>exploded</b> & gone" in texts(b, "#run-head .name")[0])
    wait(browser, lambda b: len(b.find_elements(By.CSS_SELECTOR, "#run-plots .nonfinite")) == 29)
    assert not errors(browser)


def test_marks_for_what_is_not_finite(browser, new_server):
    open_page(browser, new_server(), "#run=exploded.1")
    wait(browser, lambda b: len(b.find_elements(By.CSS_SELECTOR, "#run-plots .nonfinite")) == 29)
    assert "not finite" in texts(browser, ".alert table")[0]


def test_live(browser, new_server):
    open_page(browser, new_server(live_ms=300))
    last = "return document.querySelector('#run-plots path.line').getAttribute('d')"
    first = browser.execute_script(last)
    wait(browser, lambda b: b.execute_script(last) != first)
    assert not errors(browser)


def test_filter(browser, new_server):
    open_page(browser, new_server())
    wait(browser, has("#layers td button"))
    browser.find_element(By.ID, "layer-filter").send_keys("UP_proj")
    wait(browser, lambda b: texts(b, "#layers td:first-child") == ["blocks.0.mlp.up_proj", "blocks.1.mlp.up_proj"])


def test_server_that_goes_and_comes_back_is_told(browser, new_server):
    server = new_server()
    open_page(browser, server)
    server.process.terminate()
    wait(browser, lambda b: texts(b, "#live") == ["polling"])


def test_token_is_asked_once(browser, new_server):
    server = new_server(token="reader-secret")
    browser.get(server.url + "/")
    wait(browser, lambda b: b.find_element(By.ID, "ask-token").is_displayed())
    browser.find_element(By.ID, "ask-token").send_keys("wrong", Keys.ENTER)
    wait(browser, lambda b: b.find_element(By.ID, "ask-token").get_attribute("value") == ""
         and b.find_element(By.ID, "ask-token").is_displayed())
    browser.find_element(By.ID, "ask-token").send_keys("reader-secret", Keys.ENTER)
    wait(browser, lambda b: texts(b, "#live") == ["live"])
    wait(browser, has("#run-plots path.line"))
    browser.refresh()
    wait(browser, lambda b: texts(b, "#live") == ["live"])
    assert not browser.find_element(By.ID, "ask").is_displayed()
    assert not errors(browser)


def test_acknowledge(browser, new_server):
    server = new_server()
    open_page(browser, server)
    wait(browser, has(".alert header button"))
    browser.find_element(By.CSS_SELECTOR, ".alert header button").click()
    wait(browser, lambda b: b.find_element(By.ID, "ask-token").is_displayed())
    assert "Admin token" in browser.find_element(By.ID, "ask-title").text
    browser.find_element(By.ID, "ask-token").send_keys("admin-secret", Keys.ENTER)
    wait(browser, lambda b: "acknowledged" in b.find_element(By.CSS_SELECTOR, ".alert header").text)
    assert {a["id"]: a["acknowledged"] for a in server.get("/api/v1/alerts")["alerts"]}[2] is True
