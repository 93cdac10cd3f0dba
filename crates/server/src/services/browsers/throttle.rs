//! Pauses between visits to a domain. Pure: times come from outside.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use nodetool_store::ThrottleRuleRow;

/// Domains of pools that are remembered before those that may be visited again are forgotten.
const REMEMBERED: usize = 1000;

/// The rule that holds for a host: that of the host itself, else of the nearest domain above it.
pub(super) fn rule_for<'a>(
    rules: &'a [ThrottleRuleRow],
    host: &str,
) -> Option<&'a ThrottleRuleRow> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let covers = |rule: &&ThrottleRuleRow| {
        let above = host.strip_suffix(rule.domain.as_str());
        rule.enabled && above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    rules
        .iter()
        .filter(covers)
        .max_by_key(|rule| rule.domain.len())
}

/// When each pool may visit each domain next.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    next: HashMap<(String, String), Instant>,
}

impl Pauses {
    /// Takes the next turn for a visit and says when it is.
    pub(super) fn turn(&mut self, rule: &ThrottleRuleRow, now: Instant) -> Instant {
        if self.next.len() >= REMEMBERED {
            self.next.retain(|_, at| *at > now);
        }
        let pause = Duration::from_millis(rule.delay_ms.max(0).unsigned_abs());
        let key = (rule.pool_id.clone(), rule.domain.clone());
        let next = self.next.entry(key).or_insert(now);
        let turn = (*next).max(now);
        *next = turn + pause;
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(pool: &str, domain: &str, delay_ms: i64) -> ThrottleRuleRow {
        ThrottleRuleRow {
            pool_id: pool.into(),
            domain: domain.into(),
            delay_ms,
            enabled: true,
            ..ThrottleRuleRow::default()
        }
    }

    #[test]
    fn the_nearest_rule_that_is_on_holds() {
        let mut rules = vec![
            rule("p", "example.com", 1),
            rule("p", "a.example.com", 2),
            rule("p", "127.0.0.1", 3),
        ];
        let delay = |rules: &[ThrottleRuleRow], host| rule_for(rules, host).map(|r| r.delay_ms);
        assert_eq!(delay(&rules, "example.com"), Some(1));
        assert_eq!(delay(&rules, "WWW.Example.com."), Some(1));
        assert_eq!(delay(&rules, "x.a.example.com"), Some(2));
        assert_eq!(delay(&rules, "127.0.0.1"), Some(3));
        assert_eq!(delay(&rules, "badexample.com"), None);
        assert_eq!(delay(&rules, "example.com.evil"), None);
        rules[1].enabled = false;
        assert_eq!(delay(&rules, "a.example.com"), Some(1));
    }

    #[test]
    fn visits_of_a_pool_to_a_domain_follow_each_other_with_the_pause_between() {
        let mut pauses = Pauses::default();
        let now = Instant::now();
        let ms = Duration::from_millis;
        let (one, other) = (rule("p", "a", 500), rule("q", "a", 500));
        assert_eq!(pauses.turn(&one, now), now);
        assert_eq!(pauses.turn(&one, now), now + ms(500));
        assert_eq!(pauses.turn(&one, now + ms(100)), now + ms(1000));
        assert_eq!(
            pauses.turn(&other, now),
            now,
            "pools do not wait for each other"
        );
        let later = now + ms(9000);
        assert_eq!(pauses.turn(&one, later), later);
    }

    #[test]
    fn what_may_be_visited_again_is_forgotten() {
        let mut pauses = Pauses::default();
        let now = Instant::now();
        for n in 0..5000 {
            pauses.turn(&rule("p", &n.to_string(), 10), now + Duration::from_secs(n));
        }
        assert!(pauses.next.len() <= REMEMBERED);
    }
}
