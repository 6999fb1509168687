"""What the benchmark prints, and what it fails for."""

from __future__ import annotations

import json

from infrastructure.bench.campaign import SATURATED, Campaign
from infrastructure.bench.components import RUNTIME, Usage
from infrastructure.bench.measurement import Measurement, Traffic
from infrastructure.bench.options import Options
from infrastructure.bench.percentiles import Percentiles
from infrastructure.bench.processes import Memory
from infrastructure.bench.report import document, text
from infrastructure.bench.table import lay_out


def test_a_table_has_its_figures_one_under_the_other() -> None:
    laid_out = lay_out([("", ["here", "there"]), ("seconds", [1.25, None]), ("many", [20_000, 1234.5]), ("alone", [])])

    assert laid_out.splitlines() == [
        "            here   there",
        "seconds     1.25       -",
        "many      20,000   1,234",
        "alone",
    ]


def campaign(*, history: int = 0, per_second: float = 100.0, noise: float = 0.0, **counts: int) -> Campaign:
    latencies = Percentiles(p50=1, p95=2, p99=3, max=4)
    traffic = Traffic(
        posted=10,
        accepted=counts.get("accepted", 10),
        refused=0,
        answers={202: 10},
        seconds=0.1,
        per_second=per_second,
        post_ms=latencies,
        mail_ms=latencies,
        late_ms=None,
        lost=counts.get("lost", 0),
        duplicates=0,
        unsent=counts.get("unsent", 0),
        misdirected=0,
        strays=0,
    )
    usage = Usage(
        seconds=0.1,
        cpu_seconds={RUNTIME: 0.05},
        runtime_cpu_seconds={"up": 0.05},
        cores_used=0.5,
        noise_cores=noise,
        interrupt_cores=0,
        stolen_cores=0,
    )
    measured = Measurement(
        traffic=traffic,
        usage=usage,
        cpu_ms_each={RUNTIME: 5.0, "all": 5.0},
        memory={RUNTIME: Memory(rss_mb=80, pss_mb=60)},
        set_sizes={"orchestrate": 3.5},
        spin_ms=(20, 21),
    )
    return Campaign(history=history, measurements={SATURATED: measured})


def test_a_campaign_that_lost_something_or_in_which_nothing_was_accepted_is_not_whole() -> None:
    assert campaign().is_whole
    assert not campaign(lost=1).is_whole
    assert not campaign(accepted=0).is_whole
    assert not campaign(unsent=1).is_whole


def test_a_report_warns_when_others_were_at_work() -> None:
    assert "Distrust" not in text(Options(), [campaign(noise=0.1)])
    assert "Distrust this: others used 0.5 cores." in text(Options(), [campaign(noise=0.5)])


def test_two_campaigns_are_compared_by_their_ratio() -> None:
    options = Options(history=1000, compare_history=True)
    campaigns = [campaign(), campaign(history=1000, per_second=80.0)]

    assert options.histories == (0, 1000)
    assert json.loads(document(options, campaigns))["comparison"]["saturated, per second"] == [100.0, 80.0, 0.8]
    assert "0.80" in next(line for line in text(options, campaigns).splitlines() if line.startswith("saturated, per"))
    assert json.loads(document(Options(), campaigns[:1]))["comparison"] == {}
