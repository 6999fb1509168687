"""What the environment may say, and what is refused at the start rather than later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.errors import SettingMissing
from shared.settings import Settings, is_loopback

Environment = Callable[..., Settings]


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    """Read the settings of an environment that says only this."""

    def read(**said: str) -> Settings:
        for name in Settings.model_fields:
            monkeypatch.delenv(name.upper(), raising=False)
        for name, value in said.items():
            monkeypatch.setenv(name, value)
        return Settings()

    return read


def test_with_nothing_said_it_serves_this_machine_alone(environment: Environment) -> None:
    settings = environment()

    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert (settings.database_url, settings.amqp_url, settings.smtp_url) == (None, None, None)
    assert settings.api_is_open()


def test_an_empty_setting_is_as_none(environment: Environment) -> None:
    assert environment(DATABASE_URL="", API_KEYS="", PORT="").port == 8000


@pytest.mark.parametrize("name", ["DATABASE_URL", "database-url", "database_url"])
def test_a_setting_may_be_a_file_in_a_folder_of_secrets(environment: Environment, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("postgresql://somewhere/else\n")

    settings = environment(SECRETS_DIR=str(tmp_path))

    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://somewhere/else"


def test_the_environment_counts_before_a_file_and_an_empty_file_is_as_none(
    environment: Environment, tmp_path: Path
) -> None:
    (tmp_path / "PORT").write_text("9000")
    (tmp_path / "HOST").write_text("\n")

    settings = environment(SECRETS_DIR=str(tmp_path), PORT="9001")

    assert (settings.host, settings.port) == ("127.0.0.1", 9001)


def test_what_is_wrong_in_a_file_is_refused_as_in_the_environment(environment: Environment, tmp_path: Path) -> None:
    (tmp_path / "jwt-secret").write_text("short")

    with pytest.raises(ValidationError, match="32 bytes"):
        environment(SECRETS_DIR=str(tmp_path))


def test_a_folder_of_secrets_that_is_not_there_is_told(environment: Environment) -> None:
    with pytest.raises(SettingMissing, match="SECRETS_DIR is /nowhere"):
        environment(SECRETS_DIR="/nowhere")


def test_every_setting_has_a_sentence() -> None:
    assert [name for name, field in Settings.model_fields.items() if not (field.description or "").endswith(".")] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "65536"),
        ("PORT", "http"),
        ("DATABASE_POOL_MAX", "1"),
        ("INTAKE_BACKLOG_MAX", "0"),
        ("SMTP_CONNECTIONS", "0"),
        ("LOG_LEVEL", "LOUD"),
        ("API_OPEN", "perhaps"),
    ],
)
def test_a_setting_out_of_bounds_is_refused_at_the_start(name: str, value: str, environment: Environment) -> None:
    with pytest.raises(ValidationError, match=name.lower()):
        environment(**{name: value})


def test_the_log_level_may_be_written_small(environment: Environment) -> None:
    assert environment(LOG_LEVEL="debug").log_level == "DEBUG"


def test_keys_belong_to_tenants(environment: Environment) -> None:
    settings = environment(API_KEYS="acme:one, acme:two,globex:thr:ee")

    assert settings.keys() == {"one": "acme", "two": "acme", "thr:ee": "globex"}


@pytest.mark.parametrize("pairs", ["SECRET", "acme:", ":SECRET", "acme:SECRET,", "acme:SECRET,,globex:b", ","])
def test_keys_that_are_no_pairs_are_refused(pairs: str, environment: Environment) -> None:
    with pytest.raises(ValidationError, match="tenant:key pairs"):
        environment(API_KEYS=pairs)


@pytest.mark.parametrize("tenant", ["Acme", "acme corp", "-acme", "ümlaut", "a" * 64])
def test_a_tenant_that_no_event_could_name_is_refused(tenant: str, environment: Environment) -> None:
    with pytest.raises(ValidationError, match="a tenant's name"):
        environment(API_KEYS=f"{tenant}:SECRET")


def test_a_key_of_two_tenants_is_refused(environment: Environment) -> None:
    with pytest.raises(ValidationError, match="a key belongs to one tenant"):
        environment(API_KEYS="acme:SECRET,globex:SECRET")


def test_a_refusal_never_repeats_a_key(environment: Environment) -> None:
    with pytest.raises(ValidationError) as caught:
        environment(API_KEYS="SECRET")

    assert "SECRET" not in str(caught.value)


def test_secrets_are_not_shown_with_the_settings(environment: Environment) -> None:
    names = ("DATABASE_URL", "AMQP_URL", "SMTP_URL")
    settings = environment(
        API_KEYS="acme:SECRET",
        JWT_SECRET="SECRET" * 6,
        REDIS_URL="redis://:SECRET@a",
        **dict.fromkeys(names, "x://user:SECRET@host"),
    )

    assert "SECRET" not in repr(settings)
    assert "SECRET" not in settings.model_dump_json()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "carillon.example.test"])
def test_on_any_other_address_it_refuses_to_start_without_keys(host: str, environment: Environment) -> None:
    with pytest.raises(SettingMissing, match="API_KEYS"):
        environment(HOST=host).api_is_open()


def test_on_any_other_address_it_is_open_when_told_so(environment: Environment) -> None:
    assert environment(HOST="0.0.0.0", API_OPEN="true").api_is_open()


LONG_SECRET = "a secret of more than 32 bytes, indeed"
PUBLISHED = {"JWT_JWKS_URL": "https://a.test/keys", "JWT_ISSUER": "https://a.test", "JWT_AUDIENCE": "notify"}


@pytest.mark.parametrize("said", [{"JWT_SECRET": LONG_SECRET}, PUBLISHED], ids=["a secret", "published keys"])
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_with_tokens_it_is_never_open(host: str, said: dict[str, str], environment: Environment) -> None:
    assert not environment(HOST=host, API_OPEN="true", **said).api_is_open()


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"JWT_SECRET": "SECRET"}, "32 bytes"),
        ({**PUBLISHED, "JWT_SECRET": LONG_SECRET}, "two ways"),
        ({**PUBLISHED, "JWT_ISSUER": ""}, "JWT_ISSUER"),
        ({**PUBLISHED, "JWT_AUDIENCE": ""}, "JWT_AUDIENCE"),
        ({**PUBLISHED, "JWT_JWKS_URL": "http://a.test/keys"}, "https://"),
        ({**PUBLISHED, "JWT_JWKS_URL": "ftp://localhost/keys"}, "https://"),
        ({"REDIS_URL": "SECRET"}, "redis://"),
        ({"REDIS_URL": "http://:SECRET@a"}, "redis://"),
        ({"JWT_TENANT_CLAIM": "sub"}, "claim of its own"),
        ({"RATE_LIMIT_PER_KEY": "fast"}, "100/s"),
        ({"RATE_LIMIT_PER_USER": "0/s"}, "100/s"),
    ],
)
def test_tokens_and_limits_that_cannot_be_are_refused(said: dict[str, str], why: str, environment: Environment) -> None:
    with pytest.raises(ValidationError, match=why) as caught:
        environment(**said)

    assert LONG_SECRET not in str(caught.value)
    assert "SECRET'" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_with_keys_it_is_never_open(host: str, environment: Environment) -> None:
    assert not environment(HOST=host, API_KEYS="acme:one", API_OPEN="true").api_is_open()


@pytest.mark.parametrize(
    ("host", "expected"),
    [("localhost", True), ("127.0.0.2", True), ("::1", True), ("0.0.0.0", False), ("127.0.0.1.example.test", False)],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_a_sink_is_where_messages_go_instead_of_a_broker(environment: Environment) -> None:
    settings = environment(
        K_SINK="http://broker-broker-ingress.carillon.svc", K_CE_OVERRIDES='{"extensions":{"a":"b"}}'
    )

    assert (settings.k_sink, settings.extensions()) == ("http://broker-broker-ingress.carillon.svc", {"a": "b"})


@pytest.mark.parametrize("said", [{}, {"K_CE_OVERRIDES": "{}"}, {"K_CE_OVERRIDES": '{"extensions":null}'}])
def test_a_sink_without_overrides_adds_nothing(said: dict[str, str], environment: Environment) -> None:
    assert environment(**said).extensions() == {}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"K_SINK": "http://a", "AMQP_URL": "amqp://b"}, "AMQP_URL and K_SINK .* set one"),
        ({"K_SINK": "amqp://a"}, "http://host/path"),
        ({"K_SINK": "http:///path"}, "http://host/path"),
        ({"K_CE_OVERRIDES": "a=b"}, '"extensions"'),
        ({"K_CE_OVERRIDES": '["a"]'}, '"extensions"'),
        ({"K_CE_OVERRIDES": '{"extensions":["a"]}'}, '"extensions"'),
        ({"K_CE_OVERRIDES": '{"extensions":{"a":1}}'}, '"extensions"'),
        ({"K_CE_OVERRIDES": '{"extensions":{"a-b":"c"}}'}, "letters a-z and digits"),
        ({"K_CE_OVERRIDES": '{"extensions":{"tenant":"c"}}'}, "tenant is an attribute of our own"),
        ({"K_CE_OVERRIDES": '{"extensions":{"carillonqueue":"c"}}'}, "an attribute of our own"),
    ],
)
def test_a_sink_that_cannot_be_is_refused(said: dict[str, str], why: str, environment: Environment) -> None:
    with pytest.raises(ValidationError, match=why):
        environment(**said)
