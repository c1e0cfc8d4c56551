"""The page in a real browser: it works, stands alone, and fits every screen."""

from __future__ import annotations

import re

import pytest

PHONE, DESKTOP = 390, 1280


def test_pictures_load_and_nothing_else_is_asked_for(made, show):
    opened = show(made.path)
    assert opened.unloaded() == []
    assert opened.foreign == []
    assert opened.complaints == []
    assert opened.page.locator("article.track").count() == 1
    assert opened.page.locator(".pair img").count() >= 2


def test_faces_are_large_enough_to_judge(made, show):
    for width in (DESKTOP, PHONE):
        opened = show(made.path, width=width)
        box = opened.page.locator(".compare").first.bounding_box()
        assert box["width"] >= 256
        assert box["height"] == pytest.approx(box["width"], abs=2)


def test_the_slider_follows_mouse_and_keyboard(made, show):
    page = show(made.path).page
    slider = page.locator("article.track input[type=range]").first
    after = page.locator("article.track .after").first

    def hidden():
        shape = after.evaluate("e => getComputedStyle(e).clipPath")
        return float(re.search(r"([\d.]+)%\)$", shape)[1])

    assert hidden() == 50
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert hidden() == 60
    page.keyboard.press("Home")
    assert hidden() == 0
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 40, steps=5)
    page.mouse.up()
    assert hidden() == pytest.approx(80, abs=3)
    assert "face 0" in slider.get_attribute("aria-label").lower()


def test_before_and_after_are_different_pictures_of_the_same_place(made, show):
    page = show(made.path).page
    script = """() => {
      const grey = (img) => {
        const c = Object.assign(document.createElement("canvas"), {width: 32, height: 32});
        const g = c.getContext("2d"); g.drawImage(img, 0, 0, 32, 32);
        const d = g.getImageData(0, 0, 32, 32).data, out = [];
        for (let i = 0; i < d.length; i += 4) out.push((d[i] + d[i + 1] + d[i + 2]) / 3);
        return out;
      };
      const pair = document.querySelector(".pair");
      const a = pair.querySelector(".before"), b = pair.querySelector(".after");
      const x = grey(a), y = grey(b), n = x.length;
      const mean = (v) => v.reduce((s, e) => s + e, 0) / v.length;
      const mx = mean(x), my = mean(y);
      let xy = 0, xx = 0, yy = 0;
      for (let i = 0; i < n; i++) {
        xy += (x[i] - mx) * (y[i] - my); xx += (x[i] - mx) ** 2; yy += (y[i] - my) ** 2;
      }
      return [xy / Math.sqrt(xx * yy), a.src !== b.src, a.naturalWidth === b.naturalWidth];
    }"""
    likeness, different, same_size = page.evaluate(script)
    assert likeness > 0.98
    assert different
    assert same_size


def test_moments_are_chosen_and_the_pixels_shown_by_keyboard(made, show):
    page = show(made.path).page
    buttons = page.locator("[data-show]")
    assert buttons.count() >= 2
    assert page.locator(".pair:visible").count() == 1
    buttons.nth(1).focus()
    page.keyboard.press("Enter")
    assert buttons.nth(1).get_attribute("aria-pressed") == "true"
    assert page.locator(".pair").nth(1).is_visible()
    assert not page.locator(".pair").first.is_visible()
    assert not page.locator(".pair .pixels").nth(1).is_visible()
    page.locator("[data-pixels]").first.focus()
    page.keyboard.press("Space")
    assert page.locator(".pair .pixels").nth(1).is_visible()


def test_everything_can_be_reached_by_tab(made, show):
    page = show(made.path).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.type || document.activeElement.tagName"))
    assert {"range", "button", "checkbox", "SUMMARY", "A"} <= seen


def test_dark_light_and_print_differ_and_text_stands_out(made, show):
    papers = []
    for scheme, media in (("light", "screen"), ("dark", "screen"), ("dark", "print")):
        page = show(made.path, scheme=scheme).page
        page.emulate_media(media=media, color_scheme=scheme)
        script = """() => {
          const light = (c) => {
            const [r, g, b] = c.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
              .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const ground = (e) => {
            for (; e; e = e.parentElement) {
              const c = getComputedStyle(e).backgroundColor;
              if (c !== "rgba(0, 0, 0, 0)") return c;
            }
          };
          const paper = light(getComputedStyle(document.body).backgroundColor);
          const text = "p, span, dd, dt, li, strong, td, th, a, h1, button";
          const all = [...document.querySelectorAll(text)]
            .filter(e => e.innerText && !e.matches(".tag, .edge, .skip, .mark-label"));
          const ratios = all.map(e => {
            const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
            return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
          });
          return [paper, Math.min(...ratios), all.length];
        }"""
        paper, worst, count = page.evaluate(script)
        papers.append(paper)
        assert count > 40
        assert worst >= 4.5, (scheme, media)  # WCAG 2.2, level AA
    assert papers[0] > 0.8
    assert papers[1] < 0.05
    assert papers[2] > 0.8


@pytest.mark.parametrize("width", [320, PHONE, 768, DESKTOP])
def test_no_screen_scrolls_sideways(made, show, width):
    opened = show(made.path, width=width)
    opened.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert opened.overhang() <= 0


def test_it_works_without_script_too(made, show):
    opened = show(made.path, java_script_enabled=False)
    assert opened.page.locator(".pair:visible").count() >= 2
    assert opened.page.get_by_text("no basis for identification").first.is_visible()


def test_it_prints_both_pictures_side_by_side(made, show):
    page = show(made.path).page
    page.emulate_media(media="print")
    before = page.locator(".before").first.bounding_box()
    after = page.locator(".after").first.bounding_box()
    assert after["x"] >= before["x"] + before["width"] - 1
    assert after["y"] == pytest.approx(before["y"], abs=1)
    assert len(page.pdf()) > 10_000
