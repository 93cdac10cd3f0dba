use proptest::prelude::*;
use proptest::test_runner::Config;

use super::*;

fn cron(expression: &str, zone: &str) -> Timing {
    Timing::Cron(Box::new(Calendar::read(expression, zone).unwrap()))
}

fn interval(every: i64) -> Timing {
    Timing::Interval {
        every: every * SECOND,
        delay: 0,
        at_once: true,
        steady: true,
    }
}

fn at(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text)
        .unwrap()
        .timestamp_micros()
}

/// The next due times after a time, as UTC text.
fn following(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let timing = cron(expression, zone);
    let mut now = at(after);
    let mut step = || {
        now = timing.next_due(0, now).unwrap();
        let utc = DateTime::<Utc>::from_timestamp_micros(now).unwrap();
        utc.to_rfc3339_opts(SecondsFormat::Secs, true)
    };
    (0..count).map(|_| step()).collect()
}

#[test]
fn calendars_of_five_and_six_fields_are_kept() {
    for (expression, zone, after, want) in [
        (
            "*/15 * * * *",
            "UTC",
            "2026-01-01T00:00:00Z",
            vec!["2026-01-01T00:15:00Z", "2026-01-01T00:30:00Z"],
        ),
        (
            "30 0 0 * * *",
            "UTC",
            "2026-01-01T00:00:30Z",
            vec!["2026-01-02T00:00:30Z"],
        ),
        (
            "0 9 * * MON-FRI",
            "America/New_York",
            "2026-07-03T13:00:00Z",
            vec!["2026-07-06T13:00:00Z"],
        ),
        (
            "@daily",
            "Asia/Kolkata",
            "2026-01-01T00:00:00Z",
            vec!["2026-01-01T18:30:00Z"],
        ),
        // Month ends: a 31st is skipped where there is none, `L` is the last day.
        (
            "0 0 31 * *",
            "UTC",
            "2026-01-31T00:00:00Z",
            vec!["2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"],
        ),
        (
            "0 0 L * *",
            "UTC",
            "2028-01-31T00:00:00Z",
            vec!["2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z"],
        ),
        // Leap years, and the century that is none.
        (
            "0 0 29 2 *",
            "UTC",
            "2026-01-01T00:00:00Z",
            vec!["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"],
        ),
        (
            "0 0 29 2 *",
            "UTC",
            "2096-02-29T00:00:00Z",
            vec!["2104-02-29T00:00:00Z"],
        ),
        // A fraction of a second after a due time is after it, one before is before.
        (
            "0 0 * * *",
            "UTC",
            "2026-01-01T23:59:59.999999Z",
            vec!["2026-01-02T00:00:00Z"],
        ),
        (
            "0 0 * * *",
            "UTC",
            "2026-01-01T00:00:00.000001Z",
            vec!["2026-01-02T00:00:00Z"],
        ),
    ] {
        assert_eq!(
            following(expression, zone, after, want.len()),
            want,
            "{expression} {zone}"
        );
    }
}

#[test]
fn a_skipped_hour_moves_a_time_of_day_to_its_end_and_a_pattern_goes_on_behind_it() {
    // Berlin, 29 March 2026: 02:00 becomes 03:00 (01:00 UTC). New York, 8 March: 02:00 becomes 03:00 (07:00 UTC).
    for (expression, zone, after, want) in [
        (
            "30 2 * * *",
            "Europe/Berlin",
            "2026-03-28T01:30:00Z",
            vec!["2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"],
        ),
        (
            "30 2 * * *",
            "America/New_York",
            "2026-03-07T07:30:00Z",
            vec!["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"],
        ),
        (
            "*/30 * * * *",
            "Europe/Berlin",
            "2026-03-29T00:30:00Z",
            vec!["2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"],
        ),
        (
            "0 * * * *",
            "Europe/Berlin",
            "2026-03-29T00:00:00Z",
            vec!["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"],
        ),
    ] {
        assert_eq!(
            following(expression, zone, after, want.len()),
            want,
            "{expression} {zone}"
        );
    }
}

#[test]
fn a_repeated_hour_has_a_time_of_day_once_and_a_pattern_twice() {
    // Berlin, 25 October 2026: 03:00 becomes 02:00 (01:00 UTC).
    for (expression, after, want) in [
        (
            "30 2 * * *",
            "2026-10-24T00:30:00Z",
            vec!["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"],
        ),
        (
            "*/30 * * * *",
            "2026-10-25T00:00:00Z",
            vec![
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T01:30:00Z",
                "2026-10-25T02:00:00Z",
            ],
        ),
        (
            "0 * * * *",
            "2026-10-24T23:00:00Z",
            vec![
                "2026-10-25T00:00:00Z",
                "2026-10-25T01:00:00Z",
                "2026-10-25T02:00:00Z",
            ],
        ),
    ] {
        let got = following(expression, "Europe/Berlin", after, want.len());
        assert_eq!(got, want, "{expression}");
    }
}

#[test]
fn what_no_calendar_can_keep_is_refused_by_property() {
    for (expression, zone, property) in [
        ("", "UTC", "expression"),
        ("* * * *", "UTC", "expression"),
        ("* * * * * * *", "UTC", "expression"),
        ("61 * * * *", "UTC", "expression"),
        ("*/0 * * * *", "UTC", "expression"),
        ("0 0 30 2 *", "UTC", "expression"),
        ("@sometimes", "UTC", "expression"),
        ("💥 * * * *", "UTC", "expression"),
        (&"*,".repeat(100), "UTC", "expression"),
        ("* * * * *", "", "timezone"),
        ("* * * * *", "Mars/Olympus", "timezone"),
    ] {
        let error = Calendar::read(expression, zone).unwrap_err();
        assert_eq!(error.0, property, "{expression} {zone}: {}", error.1);
    }
}

#[test]
fn an_interval_keeps_the_clock_of_its_first_tick() {
    let timing = interval(10);
    let start = 7 * SECOND;
    assert_eq!(timing.first_due(start), Some(start));
    assert_eq!(timing.next_due(start, start), Some(start + 10 * SECOND));
    assert_eq!(
        timing.next_due(start, start + 35 * SECOND),
        Some(start + 40 * SECOND)
    );
    assert_eq!(
        timing.next_due(start, 0),
        Some(start),
        "not before the first"
    );
    let late = Timing::Interval {
        every: 10 * SECOND,
        delay: 5 * SECOND,
        at_once: false,
        steady: false,
    };
    assert_eq!(late.first_due(0), Some(15 * SECOND));
    assert_eq!(
        late.due_after(0, 15 * SECOND, 18 * SECOND),
        Some(28 * SECOND)
    );
    assert_eq!(
        timing.due_after(0, 10 * SECOND, 18 * SECOND),
        Some(20 * SECOND)
    );
}

#[test]
fn of_missed_times_only_the_latest_is_due() {
    let day = at("2026-01-01T00:00:00Z");
    for timing in [interval(60), cron("* * * * *", "UTC")] {
        let missed_before = day + 3600 * SECOND + 5;
        assert_eq!(timing.due_now(day, day, missed_before), day + 3600 * SECOND);
        assert_eq!(
            timing.due_now(day, day + 60 * SECOND, day),
            day + 60 * SECOND
        );
    }
    // A time inside a skipped hour is due at its end, also when it was missed.
    let timing = cron("30 2 * * *", "Europe/Berlin");
    let stored = at("2026-03-29T01:00:00Z");
    assert_eq!(
        timing.due_now(0, stored, at("2026-03-29T09:00:00Z")),
        stored
    );
}

#[test]
fn a_clock_that_went_back_does_not_leave_a_schedule_waiting_for_a_year() {
    let now = at("2026-01-01T00:00:30Z");
    let year_ahead = at("2027-01-01T00:01:00Z");
    let next = now + 30 * SECOND;
    let timing = cron("* * * * *", "UTC");
    assert_eq!(timing.corrected(0, year_ahead, now), next);
    assert_eq!(timing.corrected(0, next, now), next);
    assert_eq!(
        timing.corrected(0, now - 1, now),
        now - 1,
        "a due time stays due"
    );
    let timing = interval(60);
    assert_eq!(
        timing.corrected(year_ahead, year_ahead, now),
        now + 60 * SECOND
    );
    let start = now - 10 * SECOND;
    assert_eq!(
        timing.corrected(start, start + 60 * SECOND, now),
        start + 60 * SECOND
    );
}

fn timings() -> impl Strategy<Value = Timing> {
    let field = |low: u32, high: u32| {
        prop_oneof![
            Just("*".to_owned()),
            (low..=high).prop_map(|n| n.to_string()),
            (1u32..=high / 2).prop_map(|n| format!("*/{n}")),
            (low..=high, low..=high).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        ]
    };
    let zones = prop::sample::select(vec![
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "America/Santiago",
    ]);
    let calendar = (field(0, 59), field(0, 59), field(0, 23), zones)
        .prop_map(|(s, m, h, zone)| cron(&format!("{s} {m} {h} * * *"), zone));
    let every = (1i64..100_000, 0i64..10_000, any::<bool>(), Just(true)).prop_map(
        |(every, delay, at_once, steady)| Timing::Interval {
            every: every * SECOND,
            delay: delay * SECOND,
            at_once,
            steady,
        },
    );
    prop_oneof![3 => calendar, 1 => every]
}

/// Seconds of a year that has every change of the clocks, often close to one.
fn starts() -> impl Strategy<Value = i64> {
    let changes = [
        "2026-03-29T01:00:00Z",
        "2026-10-25T01:00:00Z",
        "2026-03-08T07:00:00Z",
        "2026-11-01T06:00:00Z",
        "2026-04-04T15:00:00Z",
        "2026-10-03T15:30:00Z",
        "2026-04-05T03:00:00Z",
        "2026-09-06T04:00:00Z",
    ];
    let change = prop::sample::select(changes.map(|text| at(text) / SECOND).to_vec());
    prop_oneof![
        1 => 1_767_225_600i64..1_798_761_600,
        3 => (change, -10_000i64..10_000).prop_map(|(change, by)| change + by),
    ]
}

proptest! {
    #![proptest_config(Config { cases: 500, failure_persistence: None, ..Config::default() })]

    #[test]
    fn due_times_rise_and_stepping_skips_none(
        timing in timings(),
        start in starts(),
        part in 0.0f64..1.0,
    ) {
        let start = start * SECOND;
        let mut now = start;
        for _ in 0..20 {
            let next = timing.next_due(start, now).unwrap();
            prop_assert!(next > now, "{next} after {now}");
            // From anywhere between the two the next one is the same.
            let between = now + ((next - now - 1) as f64 * part) as i64;
            prop_assert_eq!(timing.next_due(start, between), Some(next), "seen from {}", between);
            prop_assert_eq!(timing.next_due(start, next - 1), Some(next));
            now = next;
        }
    }
}
