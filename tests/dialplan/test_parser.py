from __future__ import annotations

from pathlib import Path

import pytest

from telephony.base.errors import ConfigError
from telephony.dialplan import (
    Answer,
    CallFacts,
    ConnectModel,
    Dialplan,
    Hangup,
    Play,
    PreAnswer,
    Record,
    Reject,
    Transfer,
    parse_dialplan,
)

SHIPPED = Path(__file__).parents[2] / "dialplans" / "main.yaml"


def main(*extensions: str) -> str:
    lines = "\n".join(f"    - {extension}" for extension in extensions)
    return f"contexts:\n  main:\n{lines}\n"


def parse(text: str, agents: list[str] | None = None) -> Dialplan:
    return parse_dialplan([("d.yaml", text)], agents=agents)


def problems(text: str, agents: list[str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, agents)
    return [str(problem).replace("\n    fix: ", " | ") for problem in caught.value.problems]


def test_actions_in_all_their_spellings() -> None:
    dialplan = parse(
        main(
            "{name: a, when: {called: '1'}, do: [answer, play: a.wav, connect_model: m]}",
            "{name: b, when: {called: '2'}, do: [answer: , play: {file: b.wav}, hangup: {}]}",
            "{name: c, when: {called: '3'}, do: [reject: 486]}",
            "{name: d, do: [{reject: {status: 603, reason: Go away}}]}",
        )
        .replace("answer: , play", "{answer: }, {play")
        .replace("b.wav}, hangup", "b.wav}}, {hangup")
        .replace("{}]", "{}}]")
    )
    assert [extension.actions for extension in dialplan.contexts["main"]] == [
        (Answer(), Play("a.wav"), ConnectModel("m")),
        (Answer(), Play("b.wav"), Hangup()),
        (Reject(486),),
        (Reject(603, "Go away"),),
    ]


def test_variables_of_a_rule_are_listed_with_their_places() -> None:
    dialplan = parse(
        main("{name: a, do: [connect_model: {agent: m, variables: {shop: north}}]}").replace(
            "connect_model: {agent: m, variables: {shop: north}}",
            "{connect_model: {agent: m, variables: {shop: north}}}",
        )
    )
    [extension] = dialplan.contexts["main"]
    assert extension.actions == (ConnectModel("m", {"shop": "north"}),)
    [use] = dialplan.variables
    assert (use.agent, use.variable.name) == ("m", "shop")
    assert use.variable.key == "contexts.main[0].do[0].connect_model.variables.shop"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [("{a-b: x}", "a-b"), ("{a: 1}", "put it in quotes"), ("[a]", "keys with values")],
)
def test_variables_that_cannot_be(variables: str, expected: str) -> None:
    text = main(f"{{name: a, do: [{{connect_model: {{agent: m, variables: {variables}}}}}]}}")
    with pytest.raises(ConfigError, match=expected):
        parse(text)


def test_trunks_are_listed_with_their_places() -> None:
    dialplan = parse(main("{name: a, when: {trunk: [x, y-*]}, do: [answer]}"))
    first, second = dialplan.trunks
    assert (first.name, first.file, first.line) == ("x", "d.yaml", 3)
    assert (second.name, second.key) == ("y-*", "contexts.main[0].when.trunk[1]")


TRUNKS = ["carrier-a", "carrier-b"]


@pytest.mark.parametrize("trunk", ["carrier-a", "carrier-*", "'~^carrier'", "[carrier-a, '*']"])
def test_trunks_that_exist(trunk: str) -> None:
    text = main(f"{{name: a, when: {{trunk: {trunk}}}, do: [answer]}}")
    assert parse_dialplan([("d.yaml", text)], trunks=TRUNKS).trunks


@pytest.mark.parametrize(
    ("extension", "trunks", "expected"),
    [
        (
            "{name: a, when: {trunk: carier-a}, do: [answer]}",
            TRUNKS,
            "d.yaml:3:31: contexts.main[0].when.trunk: there is no trunk 'carier-a' "
            "| did you mean carrier-a?",
        ),
        (
            "{name: a, when: {trunk: [carrier-a, pbx-*]}, do: [answer]}",
            TRUNKS,
            "d.yaml:3:43: contexts.main[0].when.trunk[1]: no trunk's name is like 'pbx-*' "
            "| known here: carrier-a, carrier-b",
        ),
        (
            "{name: a, when: {trunk: carrier-a}, do: [answer]}",
            [],
            "d.yaml:3:31: contexts.main[0].when.trunk: no trunks are configured "
            "| write config/trunks/<name>.yaml, or remove this",
        ),
        (
            "{name: a, do: [transfer: {to: '100', trunks: [carrier-a, carrier-c]}]}",
            TRUNKS,
            "d.yaml:3:64: contexts.main[0].do[0].transfer.trunks[1]: there is no trunk "
            "'carrier-c' | did you mean carrier-b?",
        ),
    ],
)
def test_trunks_that_do_not(extension: str, trunks: list[str], expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_dialplan([("d.yaml", main(extension))], trunks=trunks)
    assert str(caught.value.problems[0]).replace("\n    fix: ", " | ") == expected
    assert len(caught.value.problems) == 1


def test_a_transfer_with_everything() -> None:
    text = (
        main(
            "{name: a, do: [pre_answer, transfer: '+1 555', transfer: {to: 'sip:d@e', "
            "mode: attended, timeout_s: 20, trunks: t, play: hi.wav}]}"
        )
        .replace(
            "pre_answer, transfer: '+1 555', transfer: {",
            "pre_answer, {transfer: '+1 555'}, {transfer: {",
        )
        .replace("hi.wav}]}", "hi.wav}}]}")
    )
    dialplan = parse_dialplan([("d.yaml", text)], sound_path=lambda name: f"/sounds/{name}")
    assert dialplan.contexts["main"][0].actions == (
        PreAnswer(),
        Transfer("+1555"),
        Transfer("sip:d@e", "attended", 20.0, ("t",), "/sounds/hi.wav"),
    )
    (sound,) = dialplan.sounds
    assert (sound.name, sound.key) == ("/sounds/hi.wav", "contexts.main[0].do[2].transfer.play")
    assert [trunk.name for trunk in dialplan.trunks] == ["t"]


def test_diversion_and_attestation_decide() -> None:
    dialplan = parse(
        main(
            "{name: office, when: {diverted_from: '+1555XXXX', attestation: [A, B]}, do: [answer]}",
            "{name: diverted, when: {diverted_from: '*'}, do: [answer]}",
            "{name: others, do: [answer]}",
        )
    )

    def taken(diverted_from: str, attestation: str) -> str | None:
        call = CallFacts("1", diverted_from=diverted_from, attestation=attestation)
        route = dialplan.route(call)
        return route.extension if route else None

    assert taken("+1 555 0100", "B") == "office"
    assert taken("+15550100", "C") == "diverted"
    assert taken("+15550100", "") == "diverted"
    assert taken("", "A") == "others"
    verdicts = dialplan.explain(CallFacts("1", diverted_from="15550100"))
    assert verdicts[0].reason == (
        "diverted_from 15550100 is not +1555XXXX (the leading + counts); "
        "the call has no attestation (wanted A or B)"
    )


def test_sounds_and_agents_are_listed_with_their_places() -> None:
    dialplan = parse_dialplan(
        [("d.yaml", main("{name: a, do: [play: a.wav, connect_model: {agent: m}]}"))],
        sound_path=lambda name: f"/sounds/{name}",
    )
    (sound,) = dialplan.sounds
    (agent,) = dialplan.agents
    assert (sound.name, sound.line, sound.column) == ("/sounds/a.wav", 3, 28)
    assert (agent.name, agent.key) == ("m", "contexts.main[0].do[1].connect_model.agent")
    assert dialplan.contexts["main"][0].actions[0] == Play("/sounds/a.wav")
    assert str(sound.problem("no such file")).startswith("d.yaml:3:28: contexts.main[0].do[0].play")


@pytest.mark.parametrize(
    ("extension", "expected"),
    [
        (
            "{name: a, when: {called: +15550100}, do: [reject: 404]}",
            "d.yaml:3:32: contexts.main[0].when.called: YAML read this number as the integer "
            '15550100; the + is lost | put it in quotes: "+15550100"',
        ),
        (
            "{name: a, when: {called: 15550100}, do: [reject: 404]}",
            "d.yaml:3:32: contexts.main[0].when.called: YAML read this number as the integer "
            '15550100 | put it in quotes: "15550100"',
        ),
        (
            "{name: a, when: {called: ['1', 0123]}, do: [reject: 404]}",
            "d.yaml:3:38: contexts.main[0].when.called[1]: YAML read this number as the integer "
            '83 (octal); the leading 0 is lost | put it in quotes: "0123", or write 83',
        ),
        (
            "{name: a, when: {headers: {X-Country: no}}, do: [reject: 404]}",
            "d.yaml:3:45: contexts.main[0].when.headers.X-Country: YAML reads the word no as the "
            'boolean false | put it in quotes: "no"',
        ),
        (
            "{name: a, when: {caled: '1'}, do: [reject: 404]}",
            "d.yaml:3:24: contexts.main[0].when.caled: unknown key 'caled' | did you mean called?",
        ),
        (
            "{do: [reject: 404]}",
            "d.yaml:3:7: contexts.main[0]: the key 'name' is missing | add it",
        ),
        (
            "{name: a, when: {source: 10.0.0.1/8}, do: [reject: 404]}",
            "d.yaml:3:32: contexts.main[0].when.source: 10.0.0.1/8 has bits beyond its prefix "
            "| write 10.0.0.0/8",
        ),
        (
            "{name: a, when: {source: example.com}, do: [reject: 404]}",
            "d.yaml:3:32: contexts.main[0].when.source: 'example.com' is no IP address or network "
            "| write 192.0.2.7 or 192.0.2.0/24",
        ),
        (
            "{name: a, when: {called: '~^(a+)+$'}, do: [reject: 404]}",
            "d.yaml:3:32: contexts.main[0].when.called: the repetition at character 6 of the regex "
            "repeats a group that itself repeats or branches, which can take for ever",
        ),
        (
            "{name: a, when: {called: '~['}, do: [reject: 404]}",
            "d.yaml:3:32: contexts.main[0].when.called: unterminated character set at character 1 "
            "of the regex",
        ),
        (
            "{name: a, when: {headers: {X-A: '1', x-a: '2'}}, do: [reject: 404]}",
            "d.yaml:3:44: contexts.main[0].when.headers.x-a: header x-a is given twice; names are "
            "compared without case | join the values in one list",
        ),
        (
            "{name: a, do: []}",
            "d.yaml:3:21: contexts.main[0].do: this is empty | write a value, or remove the key",
        ),
        (
            "{name: a, do: [rejct: 486]}",
            "d.yaml:3:22: contexts.main[0].do[0].rejct: unknown verb 'rejct' "
            "| did you mean reject?",
        ),
        (
            "{name: a, do: [{answer: , play: x}]}",
            "d.yaml:3:22: contexts.main[0].do[0]: an action is a verb, or one verb with its "
            "parameters | write one of: pre_answer, answer, reject, play, record, connect_model, "
            "transfer, hangup",
        ),
        (
            "{name: a, do: [answer: now]}",
            "d.yaml:3:30: contexts.main[0].do[0].answer: answer takes no parameters "
            "| write: - answer",
        ),
        (
            "{name: a, do: [reject]}",
            "d.yaml:3:22: contexts.main[0].do[0]: the key 'status' is missing | add it",
        ),
        (
            "{name: a, do: [reject: {status: 200}]}",
            "d.yaml:3:39: contexts.main[0].do[0].reject.status: this should be greater than or "
            "equal to 400",
        ),
        (
            "{name: a, do: [reject: {status: 486, reson: Busy}]}",
            "d.yaml:3:44: contexts.main[0].do[0].reject.reson: unknown key 'reson' "
            "| did you mean reason?",
        ),
        (
            "{name: a, do: [answer, reject: 486]}",
            "d.yaml:3:30: contexts.main[0].do[1]: an answered call can't be rejected "
            "| use hangup, or remove what answers before",
        ),
        (
            "{name: a, when: {attestation: [A, D]}, do: [answer]}",
            "d.yaml:3:41: contexts.main[0].when.attestation[1]: this should be 'A', 'B' or 'C', "
            "not the text 'D'",
        ),
        (
            "{name: a, do: [transfer: desk]}",
            "d.yaml:3:32: contexts.main[0].do[0].transfer: 'desk' is nothing to call "
            '| write "+15550100" or sip:user@host',
        ),
        (
            "{name: a, do: [transfer: {to: +15550100}]}",
            "d.yaml:3:37: contexts.main[0].do[0].transfer.to: YAML read this number as the "
            'integer 15550100; the + is lost | put it in quotes: "+15550100"',
        ),
        (
            "{name: a, do: [transfer: {to: '1', timeout: 5}]}",
            "d.yaml:3:42: contexts.main[0].do[0].transfer.timeout: unknown key 'timeout' "
            "| did you mean timeout_s?",
        ),
        (
            "{name: a, do: [pre_answer, pre_answer]}",
            "d.yaml:3:34: contexts.main[0].do[1]: the call is pre-answered already | remove it",
        ),
        (
            "{name: a, do: [connect_model: rehersal]}",
            "d.yaml:3:37: contexts.main[0].do[0].connect_model: there is no agent 'rehersal' "
            "| did you mean rehearsal?",
        ),
    ],
)
def test_every_mistake_has_its_place_and_its_remedy(extension: str, expected: str) -> None:
    assert problems(main(extension), agents=["rehearsal"]) == [expected]


def test_one_mistake_hides_no_other() -> None:
    text = main(
        "{name: a, when: {caled: x, source: y}, do: [rejct, connect_model: z]}",
        "{name: b, when: 5, do: nothing, doo: 1}",
    )
    text += "  other: 7\nextra: 1\n"
    keys = [problem.split(": ")[1] for problem in problems(text, agents=[])]
    assert keys == [
        "contexts.main[0].when.caled",
        "contexts.main[0].when.source",
        "contexts.main[0].do[0]",
        "contexts.main[0].do[1].connect_model",
        "contexts.main[1].when",
        "contexts.main[1].do",
        "contexts.main[1].doo",
        "contexts.other",
        "extra",
    ]


def test_mistakes_of_all_files_are_reported() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_dialplan([("a.yaml", "contexts: ["), ("b.yaml", ""), ("c.yaml", "- x")])
    assert [(p.file, p.line) for p in caught.value.problems] == [
        ("a.yaml", 1),
        ("b.yaml", 0),
        ("c.yaml", 1),
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{called: '+15550100'}", "{called: '+1 (555) 0100'}"),
        ("{called: '+1555*'}", "{called: ['+15550100', '+1555XX']}"),
        ("{called: '*'}", "{trunk: a}"),
        ("{diverted_from: '+1555*'}", "{diverted_from: '+15550100'}"),
        ("{attestation: [A, B]}", "{attestation: A, called: '1'}"),
        ("{}", "{headers: {X-A: b}}"),
        ("{source: 10.0.0.0/8}", "{source: 10.2.0.0/16, called: '1'}"),
        ("{called: '~^1'}", "{called: '15'}"),
        ("{called: '~^1'}", "{called: '~^1', trunk: a}"),
        ("{headers: {x-a: '*'}}", "{headers: {X-A: b}}"),
        ("{source: 192.0.2.0/24}", "{source: '::ffff:192.0.2.7'}"),
    ],
)
def test_an_unreachable_extension_names_the_one_before_it(first: str, second: str) -> None:
    text = main(
        f"{{name: one, when: {first}, do: [reject: 404]}}",
        f"{{name: two, when: {second}, do: [reject: 404]}}",
    )
    (problem,) = problems(text)
    assert problem.startswith(
        "d.yaml:4:7: contexts.main[1]: 'two' can never take a call: 'one' (d.yaml:3) comes first"
    )
    assert problem.endswith("| move it above 'one', or narrow 'one'")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{called: '+15550100', trunk: a}", "{called: '+15550100'}"),
        ("{diverted_from: '*'}", "{called: '1'}"),
        ("{attestation: [A, B, C]}", "{called: '1'}"),
        ("{attestation: A}", "{attestation: [A, B]}"),
        ("{called: '+1555XX'}", "{called: '+1555*'}"),
        ("{source: 10.0.0.0/8}", "{called: '1'}"),
        ("{source: 0.0.0.0/0}", "{source: '::/0'}"),
        ("{called: '1', caller: '2'}", "{called: '1', caller: '3'}"),
        ("{called: '~^1'}", "{called: '~^2'}"),
    ],
)
def test_reachable_extensions_are_left_alone(first: str, second: str) -> None:
    text = main(
        f"{{name: one, when: {first}, do: [reject: 404]}}",
        f"{{name: two, when: {second}, do: [reject: 404]}}",
    )
    assert len(parse(text).contexts["main"]) == 2


def test_an_extension_with_a_mistake_shadows_nothing() -> None:
    text = main(
        "{name: one, when: {called: ['~[']}, do: [reject: 404]}",
        "{name: two, when: {called: '1'}, do: [reject: 404]}",
    )
    assert len(problems(text)) == 1


def test_names_are_unique_in_a_context_and_contexts_over_files() -> None:
    text = main("{name: a, when: {called: '1'}, do: [reject: 404]}", "{name: a, do: [reject: 404]}")
    assert problems(text) == [
        "d.yaml:4:14: contexts.main[1].name: extension 'a' exists already in line 3 "
        "| give it a name of its own"
    ]
    one = main("{name: a, do: [reject: 404]}")
    with pytest.raises(ConfigError, match=r"e.yaml:2:3: .* is defined already at d.yaml:2"):
        parse_dialplan([("d.yaml", one), ("e.yaml", one)])
    two = parse_dialplan([("d.yaml", one), ("e.yaml", one.replace("main", "other"))])
    assert sorted(two.contexts) == ["main", "other"]


def test_an_aliased_condition_is_reported_where_it_was_written() -> None:
    text = "contexts:\n  main:\n    - {name: a, when: {called: &x ['1', 2]}, do: [reject: 404]}\n"
    text += "    - {name: b, when: {caller: *x}, do: [reject: 404]}\n"
    assert [problem.split(": ")[0] for problem in problems(text)] == ["d.yaml:3:41"] * 2


def test_the_shipped_dialplan_sends_everyone_to_the_rehearsal_agent() -> None:
    dialplan = parse_dialplan(
        [(str(SHIPPED), SHIPPED.read_text(encoding="utf-8"))], agents=["rehearsal"]
    )
    (extension,) = dialplan.contexts["main"]
    assert extension.conditions == ()
    assert extension.actions == (Answer(), ConnectModel("rehearsal"))


def test_a_recording_and_its_announcement() -> None:
    text = main(
        "{name: a, when: {called: '1'}, do: [record, answer, record: pause, record: resume]}",
        "{name: b, do: [{record: {format: flac, announcement: say.wav}}, {connect_model: m}]}",
    )
    dialplan = parse_dialplan([("d.yaml", text)], sound_path=lambda name: f"sounds/{name}")
    first, second = dialplan.contexts["main"]
    assert first.actions == (Record(), Answer(), Record("pause"), Record("resume"))
    assert second.actions[0] == Record("start", "flac", "sounds/say.wav")
    assert [(sound.name, sound.line) for sound in dialplan.sounds] == [("sounds/say.wav", 4)]
    assert [(use.name, use.line) for use in dialplan.recordings] == [("", 3), ("flac", 4)]


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        ("[record: begin]", "'start', 'pause', 'resume' or 'stop'"),
        ("[{record: {format: mp3}}]", "'wav', 'flac' or 'opus'"),
        ("[{record: {action: pause, format: wav}}]", "pause takes neither format nor announcement"),
        ("[record, record]", "the call is recorded already | remove it"),
        (
            "[record: stop, record: start]",
            "stopped for good | use record: pause",
        ),
        ("[{record: {announcement: a.wav}}, {reject: 486}]", "an answered call can't be rejected"),
        ("[{record: {announcement: a.wav}}, answer]", "the call is answered already"),
        ("[{play: tone:bussy}]", "there is no tone 'bussy' | write tone:busy"),
        (
            "[{transfer: {to: '1', hold_music: tone:x}}]",
            "there is no tone 'x' | write one of",
        ),
    ],
)
def test_recordings_and_tones_that_cannot_be(actions: str, expected: str) -> None:
    (problem,) = problems(main(f"{{name: a, do: {actions}}}"))
    assert problem.startswith("d.yaml:3:")
    assert expected in problem


def test_a_recording_that_may_answer_or_not_is_not_judged() -> None:
    parse(main("{name: a, do: [record, {reject: 486}]}"))
    parse(main("{name: a, do: [pre_answer, {record: {announcement: a.wav}}, {reject: 486}]}"))


def test_tones_are_no_files() -> None:
    text = main("{name: a, do: [{play: tone:busy/de/3}, {transfer: {to: '1', hold_music: m.wav}}]}")
    dialplan = parse_dialplan([("d.yaml", text)], sound_path=lambda name: f"sounds/{name}")
    play, transfer = dialplan.contexts["main"][0].actions
    assert play == Play("tone:busy/de/3")
    assert isinstance(transfer, Transfer)
    assert transfer.hold_music == "sounds/m.wav"
    assert [sound.name for sound in dialplan.sounds] == ["sounds/m.wav"]
