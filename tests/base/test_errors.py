from telephony.base.errors import ConfigError, Problem


def test_a_problem_names_place_key_and_fix() -> None:
    problem = Problem("dialplans/a.yaml", 3, 9, "contexts.main[0]", "unknown key `whn`", "`when`?")
    assert str(problem) == (
        "dialplans/a.yaml:3:9: contexts.main[0]: unknown key `whn`\n    fix: `when`?"
    )


def test_an_error_lists_every_problem() -> None:
    one = Problem("a.yaml", 1, 1, "x", "bad", "")
    two = Problem("b.yaml", 0, 0, "", "not readable", "")
    assert str(ConfigError([one, two])) == "a.yaml:1:1: x: bad\nb.yaml: not readable"
