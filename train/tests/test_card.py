import numpy as np

import card


def rows(low, kind="plain", label="benign", lic="MIT"):
    """A thousand rows with scores from `low` up to half above it."""
    return [{"score": float(s), "kind": kind, "label": label, "lic": lic} for s in np.linspace(low, low + 0.5, 1000)]


def test_thresholds_obey_the_rates():
    groups = {"dev": rows(0.0), "left out": rows(0.2)}
    chosen = card.choose(groups)
    for role, (_, flag, block) in card.ROLES.items():
        assert chosen[role]["flag"] < chosen[role]["block"]
        for action, rate in (("flag", flag), ("block", block)):
            passed = card.share(groups["dev"] + groups["left out"], chosen[role][action], False)
            assert 0.5 * rate <= passed <= rate


def test_attacks_system_prompts_and_barred_rows_choose_nothing():
    plain = {"dev": rows(0.0)}
    more = {"dev": plain["dev"] + rows(0.5, kind="system_prompt") + rows(0.5, label="injection") + rows(0.5, lic="CC-BY-NC-4.0")}
    assert card.choose(plain) == card.choose(more)


def test_documents_count_for_untrusted_text_only():
    plain, more = rows(0.0), rows(0.0) + rows(0.4, kind="document")
    assert card.choose({"dev": plain})["user"] == card.choose({"dev": more})["user"]
    assert card.choose({"dev": plain})["untrusted"]["flag"] < card.choose({"dev": more})["untrusted"]["flag"]
