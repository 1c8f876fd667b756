"""unpin plan: what is proposed, and what is refused with which reason. Nothing may change."""
import json

import pytest

from judge import assert_sound, changed, lifted


def feasible(env, *words, requests=None):
    plan = env.plan(*words)
    assert plan["status"] in ("feasible", "satisfied"), plan
    assert_sound(env, plan, requests or words)
    return plan


def test_what_is_there_needs_nothing(seen):
    plan = feasible(seen, "requests")
    assert plan["status"] == "satisfied"
    assert plan["changes"] == plan["lifts"] == []


def test_one_lock_is_lifted_with_its_place(seen):
    plan = feasible(seen, "click==8.1.8")
    assert lifted(plan) == {"click": ("8.1.7", "8.1.8")}
    assert changed(plan) == {"click": ("upgrade", "8.1.8")}
    lift = plan["lifts"][0]
    with open(lift["file"], encoding="utf-8") as f:
        assert f.read().splitlines()[lift["line"] - 1] == "click==8.1.7"


def test_lockstep_lifts_both(seen):
    plan = feasible(seen, "nvidia-modelopt==0.27.0")
    assert lifted(plan) == {"nvidia-modelopt": ("0.25.0", "0.27.0"), "nvidia-modelopt-core": ("0.25.0", "0.27.0")}
    assert plan["proof"]["optimal"] is True
    assert plan["proof"]["lower_bound_lifts"] == 2


def test_a_new_dependency_is_added_without_a_lift(seen):
    plan = feasible(seen, "black==25.9.0")
    assert lifted(plan) == {"black": ("23.7.0", "25.9.0")}
    assert changed(plan)["pytokens"] == ("add", "0.1.10")


def test_the_chain_of_reasons_ends_at_the_request(seen):
    plan = feasible(seen, "black==25.9.0")
    added = next(c for c in plan["changes"] if c["name"] == "pytokens")
    assert not added["requested"] and "black" in " ".join(added["because"])
    assert next(c for c in plan["changes"] if c["name"] == "black")["requested"]


def test_flask_3_moves_what_it_must_and_no_more(seen):
    plan = feasible(seen, "flask==3.1.0")
    assert set(lifted(plan)) == {"flask", "werkzeug", "itsdangerous", "blinker"}
    assert plan["proof"]["lower_bound_lifts"] == 4


def test_an_upper_bound_of_another_moves_it_along(seen):
    plan = feasible(seen, "urllib3>=2")
    assert set(lifted(plan)) == {"urllib3", "requests"}


def test_a_floor_is_met_with_the_newest_at_the_same_cost(seen):
    assert lifted(feasible(seen, "urllib3>=1.26.20"))["urllib3"][1] in ("1.26.20",)


def test_a_downgrade_within_what_others_bear(seen):
    plan = feasible(seen, "click<8.1.8")
    assert plan["status"] == "satisfied"


def test_several_requests_are_one_plan(seen):
    plan = feasible(seen, "click==8.1.8", "filelock>=3.18", "idna")
    assert set(lifted(plan)) == {"click", "filelock"}


def test_rivals_within_one_request(seen):
    run = seen.run("plan", "--json", "click==8.1.8", "click==8.1.7")
    run.ok(3)
    assert run.json["status"] == "infeasible"


def test_the_vendor_torch_is_not_replaced(seen):
    run = seen.run("plan", "--json", "torch==2.7.0")
    run.ok(3)
    plan = run.json
    assert plan["status"] == "infeasible" and plan["reason"], plan
    assert "torch" in json.dumps(plan["reason"])


def test_an_allowance_takes_the_pre_release_as_its_release(seen):
    plan = feasible(seen, "modelzoo")
    assert [a["name"] for a in plan["allowances"]] == ["torch"]
    assert plan["allowances"][0]["taken_as"] == "2.7.0"
    assert lifted(plan) == {}


def test_an_exact_pin_gets_no_allowance(seen):
    run = seen.run("plan", "--json", "needs-public-torch").ok(3)
    text = json.dumps(run.json["reason"])
    assert "needs-public-torch" in text and "torch==2.7.0" in text


@pytest.mark.parametrize("request_, holder, bound", [("fsspec>=2024", "cudf", "fsspec<2024"), ("protobuf>=5", "cudf", "protobuf<5")])
def test_no_plan_is_proven_with_the_facts_and_ways_out(seen, request_, holder, bound):
    run = seen.run("plan", "--json", request_).ok(3)
    plan = run.json
    assert plan["status"] == "infeasible"
    text = json.dumps(plan["reason"])
    assert holder in text and bound in text and request_ in text.replace("\\u003e", ">")
    for suggestion in plan["suggestions"]:
        assert suggestion["argv"][0] == "unpin"
    assert plan["changes"] == plan["lifts"] == []


def test_the_reason_is_told_to_people_as_well(seen):
    run = seen.run("plan", "fsspec>=2024").ok(3)
    told = run.out + run.err
    assert "cudf" in told and "fsspec<2024" in told
    assert "Traceback" not in told and "\x1b" not in told


def test_a_version_that_never_existed(seen):
    run = seen.run("plan", "--json", "black==25.2.0").ok(3)
    assert "black" in json.dumps(run.json["reason"])


def test_a_project_that_no_index_has(seen):
    run = seen.run("plan", "--json", "no-such-project-anywhere").ok(3)
    assert "no-such-project-anywhere" in json.dumps(run.json)


def test_a_suggestion_that_is_followed_leads_to_a_plan(seen):
    """As every suggestion in these tests does: see conftest.Environment.follow."""
    plan = seen.run("plan", "--json", "--keep", "requests", "urllib3>=2").ok(3).json
    assert plan["suggestions"], "giving up --keep is a way out"


@pytest.mark.parametrize("name", ["bounds.txt", "it's bounds.txt"])
def test_ways_out_name_the_files_of_the_request(seen, tmp_path, name):
    requests, bounds = tmp_path / "requests.txt", tmp_path / name
    requests.write_text("idna\nurllib3>=2\n")
    bounds.write_text("click<8.1.8\n")

    def ways_out(*words):
        return [s["argv"][2:] for s in seen.run("plan", "--json", *words).ok(3).json["suggestions"]]

    assert all(argv[:4] == ["-r", str(requests), "-c", str(bounds)] for argv in ways_out("-r", requests, "-c", bounds, "--keep", "urllib3"))
    found = ways_out("click==8.1.8", "-c", bounds)
    assert ["click==8.1.8"] in [argv[:1] for argv in found if "-c" not in argv], "without the constraints"
    text = seen.run("plan", "-r", requests, "-c", bounds, "--keep", "requests").ok(3).out
    assert "-r" in text and ("'\\''" in text) == ("'" in name), "quoted for the shell"


def test_ways_out_spell_a_file_that_cannot_stay_as_it_is(seen, tmp_path):
    bounds, requests = tmp_path / "bounds.txt", tmp_path / "requests.txt"
    bounds.write_text("click<8.1.8\n")
    requests.write_text(f"-c {bounds.name}\nidna\nclick==8.1.8\n")
    found = [s["argv"][2:] for s in seen.run("plan", "--json", "-r", requests).ok(3).json["suggestions"]]
    assert ["idna", "click==8.1.8"] in [argv[:2] for argv in found if "-c" not in argv and "-r" not in argv]


def test_requires_python_rules_out_a_release(seen):
    assert changed(feasible(seen, "future-python")) == {"future-python": ("add", "1.0")}


def test_replace_lets_a_vendor_build_go(seen):
    """The user has to name it, and to say that the advisory on what was built against it is to be disregarded."""
    refused = seen.run("plan", "--json", "--replace", "torch", "torch==2.7.0").ok(3).json
    advisories = [fact["name"] for fact in refused["reason"] if fact["kind"] == "advisory"]
    assert advisories == ["ADV-023"]
    plan = seen.run("plan", "--json", "--replace", "torch", "--ignore-advisory", "ADV-023", "--ignore-advisory", "ADV-024", "torch==2.7.0").ok().json
    assert changed(plan) == {"torch": ("replace", "2.7.0")}
    assert [a["effect"] for a in plan["advisories"] if a["id"] == "ADV-023"] == ["ignored"]


def test_breaks_of_before_are_listed_not_counted(seen):
    plan = feasible(seen, "click==8.1.8")
    before = {(b["name"], b["requires"]) for b in plan["breaks"]["before"]}
    assert ("kvikio", "nvidia-nvcomp-cu12==4.2.0.11") in before
    assert ("jupyterlab-tensorboard-pro", "tornado<=6.2") in before


def test_upgrade_takes_the_newest(seen):
    assert changed(feasible(seen, "-U", "rich", requests=["rich"]))["rich"][1] == "14.0.0"


def test_without_upgrade_the_installed_version_is_good_enough(seen):
    assert feasible(seen, "rich")["status"] == "satisfied"


def test_the_same_request_gives_the_same_bytes(seen):
    def stripped():
        document = seen.plan("flask==3.1.0", "pytest>=8")
        document.pop("timing_ms")
        document["proof"].pop("metadata_fetched", None)  # fewer with a warm cache
        document["proof"].pop("rounds", None)
        return json.dumps(document)
    assert stripped() == stripped() == stripped()


def test_words_on_stdout_and_nothing_changed(seen):
    run = seen.run("plan", "click==8.1.8").ok()
    assert "click" in run.out and "8.1.8" in run.out and "8.1.7" in run.out
    assert "\x1b" not in run.out


def test_json_goes_alone_to_stdout(seen):
    run = seen.run("plan", "--json", "click==8.1.8").ok()
    json.loads(run.out)
    assert run.out.count("\n") >= 1


@pytest.mark.parametrize("words", [("plan", "click=="), ("plan", "not a requirement!!"), ("plan",), ("plan", "--no-such-option", "x"), ("nonsense",), ("plan", "-r", "missing.txt")])
def test_bad_usage(seen, words):
    run = seen.run(*words).ok(2)
    assert run.err.strip()


def test_errors_are_documents_too(seen):
    run = seen.run("plan", "--json", "click==").ok(2)
    assert run.json["status"] == "error" and "U002" in run.out


def test_unreadable_lock(seen, tmp_path):
    missing = tmp_path / "nowhere.txt"
    run = seen.run("plan", "--json", "--lock", missing, "click").ok(2)
    assert run.json["status"] == "error"


def test_lock_options_and_environment_agree(seen):
    by_variable = seen.plan("click==8.1.8")
    by_option = json.loads(seen.run("plan", "--json", "--lock", seen.lock, "click==8.1.8", PIP_CONSTRAINT="").ok().out)
    assert lifted(by_variable) == lifted(by_option)


def test_without_a_lock_nothing_is_lifted(seen):
    plan = json.loads(seen.run("plan", "--json", "click==8.1.8", PIP_CONSTRAINT="").ok().out)
    assert plan["lifts"] == [] and changed(plan) == {"click": ("upgrade", "8.1.8")}


def test_no_lift_is_respected(seen):
    run = seen.run("plan", "--json", "--no-lift", "click", "click==8.1.8").ok(3)
    assert "click" in json.dumps(run.json["reason"])


def test_keep_is_respected(seen):
    seen.run("plan", "--json", "--keep", "urllib3", "urllib3>=2").ok(3)
    seen.run("plan", "--json", "--keep", "requests", "urllib3>=2").ok(3)


@pytest.mark.parametrize("word, hint", [("numpy==", "the version lacks"), ("numpy=1.2", "numpy==1.2"), (">=", "quote a requirement")])
def test_a_mistyped_request_is_told_how_to_write_it(seen, word, hint):
    assert hint in seen.run("plan", word).ok(2).err


@pytest.mark.parametrize("words, warning", [
    (["--keep", "no-such-thing"], "--keep no-such-thing has no effect"),
    (["--replace", "no-such-thing"], "--replace no-such-thing has no effect"),
    (["--no-lift", "no-such-thing"], "--no-lift no-such-thing has no effect"),
    (["--ignore-advisory", "NO-1"], "--ignore-advisory NO-1 has no effect"),
    (["flask[no-such-extra]"], "has no extra 'no-such-extra'"),
])
def test_what_has_no_effect_is_warned_of(seen, words, warning):
    assert any(warning in w for w in seen.plan("click", *words)["warnings"])


def test_what_has_an_effect_is_not_warned_of(seen):
    assert not any("no effect" in w for w in seen.plan("click==8.1.8", "--keep", "flask", "--no-lift", "flask", "--replace", "torch")["warnings"])


def test_an_unknown_name_is_asked_about(seen):
    assert "Is the name right?" in seen.run("plan", "no-such-project-at-all").ok(3).out
