"""`[notify]`: what is read, what is refused, and that no address is ever repeated."""

from pathlib import Path

import pytest

from monitor.config.load import load_config
from monitor.config.toml_problem import ConfigError, Problem
from monitor.notify.settings import NotifySettings, Quiet, Route, Target
from monitor.wording.languages import LANGUAGES

VANTAGE = '[[vantage]]\nid = "here"\ncountry = "PK"\n'
ROUTE = '[[notify.route]]\nname = "ops"\n'
HERE = 'urls = ["json://127.0.0.1:9/"]\n'
ALL_LANGUAGES = ", ".join(f'"{language.code}"' for language in LANGUAGES)
TOKEN = "123456789:AAtokenTOKENtoken"  # noqa: S105 # made up


def load(folder: Path, text: str, **environ: str) -> NotifySettings:
    """What is read of a file with this text, below a vantage."""
    path = folder / "shutwatch.toml"
    path.write_text(f"{VANTAGE}{text}", encoding="utf-8")
    return load_config(path, environ).notify


def mistakes(folder: Path, text: str, **environ: str) -> tuple[Problem, ...]:
    """What is wrong with such a file."""
    with pytest.raises(ConfigError) as caught:
        load(folder, text, **environ)
    return caught.value.problems


def test_without_the_table_nobody_is_told(tmp_path: Path) -> None:
    """No route, no ping."""
    assert load(tmp_path, "") == NotifySettings()


def test_everything_can_be_set(tmp_path: Path) -> None:
    """Each key, as it is written, in the form that it is used in."""
    (tmp_path / "more.txt").write_text("\ufeff# the night shift\n\n  json://127.0.0.1:8/night  \n")
    read = load(
        tmp_path,
        '[notify]\ngive_up = "6h"\ntimeout = "1m"\nping_url = "https://p.example/x"\n'
        'ping_interval = "1m"\n[[notify.route]]\nname = "night-shift"\n'
        'urls = ["json://127.0.0.1:9/"]\nurl_file = "more.txt"\ncountries = ["PK", "BR"]\n'
        'platforms = ["x"]\nkinds = ["shutdown"]\nminimum = "suspected"\nlanguage = "ur"\n'
        'timezone = "Asia/Karachi"\nquiet = "22:30 - 07:05"\nwake = true\ngather = "2m"\n'
        'digest = "6h"\ndaily = "08:00"\n',
    )
    assert read == NotifySettings(
        give_up=6 * 3600,
        timeout=60,
        ping_url="https://p.example/x",
        ping_interval=60,
        route=(
            Route(
                name="night-shift",
                urls=(
                    Target(name="1-json", url="json://127.0.0.1:9/"),
                    Target(name="2-json", url="json://127.0.0.1:8/night"),
                ),
                url_file=str(tmp_path / "more.txt"),
                countries=("PK", "BR"),
                platforms=("x",),
                kinds=("shutdown",),
                minimum="suspected",
                language="ur",
                timezone="Asia/Karachi",
                quiet=Quiet(start=22 * 60 + 30, end=7 * 60 + 5),
                wake=True,
                gather=120,
                digest=6 * 3600,
                daily=8 * 60,
            ),
        ),
    )


def test_secrets_come_from_the_environment(tmp_path: Path) -> None:
    """A token within an address, or the whole of it."""
    read = load(
        tmp_path,
        f'{ROUTE}urls = ["tgram://${{BOT}}/42/", "${{WHOLE}}"]\n',
        BOT=TOKEN,
        WHOLE="json://127.0.0.1/s3cret",
    )
    assert [target.url for target in read.route[0].urls] == [
        f"tgram://{TOKEN}/42/",
        "json://127.0.0.1/s3cret",
    ]
    assert [target.name for target in read.route[0].urls] == ["1-tgram", "2-json"]


@pytest.mark.parametrize(
    ("text", "key", "line", "remedy"),
    [
        (f"{ROUTE}", "notify.route[1].urls", 4, "say where to send to: urls = "),
        (f"{ROUTE}urls = []\n", "notify.route[1].urls", 6, "say where to send to: urls = "),
        (f"[[notify.route]]\n{HERE}", "notify.route[1].name", 4, "give the route its own name"),
        ('[notify.route]\nname = "a"\n', "notify.route", 4, "write [[notify.route]]"),
        (f"{ROUTE}{HERE}{ROUTE}{HERE}", "notify.route[2].name", 8, "a name that no other route"),
        ('[[notify.route]]\nname = "A b"\n' + HERE, "notify.route[1].name", 5, 'such as "a-b"'),
        (f"{ROUTE}{HERE}countrys = []\n", "notify.route[1].countrys", 7, 'mean "countries"?'),
        (f'{ROUTE}{HERE}countries = ["Pakistan"]\n', "notify.route[1].countries[1]", 7, '"PK"'),
        (f'{ROUTE}{HERE}platforms = ["whatsap"]\n', "notify.route[1].platforms", 7, "whatsapp"),
        (f'{ROUTE}{HERE}platforms = ["signal"]\n', "notify.route[1].platforms", 7, "one of "),
        (f'{ROUTE}{HERE}kinds = ["war"]\n', "notify.route[1].kinds[1]", 7, 'one of "block"'),
        (f"{ROUTE}{HERE}kinds = []\n", "notify.route[1].kinds", 7, "at least one kind"),
        (f'{ROUTE}{HERE}minimum = "ended"\n', "notify.route[1].minimum", 7, '"suspected"'),
        (f'{ROUTE}{HERE}language = "xx"\n', "notify.route[1].language", 7, ALL_LANGUAGES),
        (f'{ROUTE}{HERE}timezone = "Asia/Karachy"\n', "notify.route[1].timezone", 7, "Asia/Kar"),
        (f'{ROUTE}{HERE}timezone = "../etc/passwd"\n', "notify.route[1].timezone", 7, "time zone"),
        (f'{ROUTE}{HERE}quiet = "22-7"\n', "notify.route[1].quiet", 7, '"22:00-07:00"'),
        (f'{ROUTE}{HERE}quiet = "07:00-07:00"\n', "notify.route[1].quiet", 7, "two different"),
        (f'{ROUTE}{HERE}daily = "24:00"\n', "notify.route[1].daily", 7, '"23:59"'),
        (f'{ROUTE}{HERE}gather = "2h"\n', "notify.route[1].gather", 7, 'to "1h"'),
        (f'{ROUTE}url_file = "gone"\n', "notify.route[1].url_file", 6, "a file that exists"),
        ('[notify]\nping_url = "ftp://x/"\n', "notify.ping_url", 5, "an http or https address"),
        ('[notify]\nping = "x"\n', "notify.ping", 5, 'did you mean "ping_url"?'),
        ('give_up = "1h"\n', "vantage[1].give_up", 4, "it belongs under [notify]"),
        (f'{ROUTE}{HERE}give_up = "1h"\n', "notify.route[1].give_up", 7, "under [notify]"),
        ('quiet = "x"\n', "vantage[1].quiet", 4, "it belongs under [[notify.route]]"),
    ],
)
def test_mistakes_name_the_key_the_line_and_the_remedy(
    text: str, key: str, line: int, remedy: str, tmp_path: Path
) -> None:
    """One mistake, where it stands, with what would be right."""
    (problem,) = mistakes(tmp_path, text)
    assert (problem.key, problem.line) == (key, line)
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    "text",
    [
        f'{ROUTE}urls = ["tgram:/{TOKEN}/42"]\n',
        f'{ROUTE}urls = ["{TOKEN}"]\n',
        f'{ROUTE}urls = ["telegramm://{TOKEN}/42"]\n',
        f'{ROUTE}urls = ["slack://{TOKEN}/TOKENtoken"]\n',
        f'{ROUTE}urls = "tgram://{TOKEN}/42"\n',
        f'{ROUTE}url = "tgram://{TOKEN}/42"\n',
        f'{ROUTE}ulrs = "tgram://{TOKEN}/42"\n',
        f'{ROUTE}urls = ["tgram://{TOKEN}/42/", "tgram://{TOKEN}/42/"]\n',
        f'[notify]\nping_url = "ping.example.org/{TOKEN}"\n',
        f'[notify]\nping_url = "https://{TOKEN} /x"\n',
        f'{ROUTE}urls = ["tgram://{TOKEN}/42\n',
        f'{ROUTE}urls = [\n  "tgram://{TOKEN}/42"\n  "json://127.0.0.1/"\n]\n',
        f'{ROUTE}urls = ["${{ALL}}"]\n',
        f'{ROUTE}url_file = "tokens.txt"\n',
    ],
)
def test_no_mistake_repeats_an_address(text: str, tmp_path: Path) -> None:
    """Whatever is wrong with it, and wherever it comes from, its token is not shown."""
    (tmp_path / "tokens.txt").write_text(f"# ours\ntelegramm://{TOKEN}/42\n")
    told = "\n".join(map(str, mistakes(tmp_path, text, ALL=f"telegramm://{TOKEN}/42")))
    assert "TOKEN" not in told
    assert "shutwatch.toml:" in told


def test_a_bad_line_of_the_file_of_addresses_is_named(tmp_path: Path) -> None:
    """By its number in that file."""
    (tmp_path / "more.txt").write_text("json://127.0.0.1/\n\nnowhere\n")
    (problem,) = mistakes(tmp_path, f'{ROUTE}url_file = "more.txt"\n')
    assert "correct line 3 of it: an address in Apprise's form" in problem.remedy
    (tmp_path / "more.txt").write_text("# nobody\n")
    (problem,) = mistakes(tmp_path, f'{ROUTE}url_file = "more.txt"\n')
    assert "at least one address" in problem.remedy
