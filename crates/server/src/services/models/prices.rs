//! What tokens cost, for the cost table: list prices in US dollars for a million tokens. Providers change them; a model
//! that is not here has no cost, which is shown as such.
//!
//! One credit is one US cent (socket spec 8.1); no margin is added.

use nodetool_sdk::models::Usage;

struct Price {
    provider: &'static str,
    /// How the model's name begins; the longest that fits counts.
    model: &'static str,
    input: f64,
    cached: f64,
    output: f64,
}

const fn price(
    provider: &'static str,
    model: &'static str,
    input: f64,
    cached: f64,
    output: f64,
) -> Price {
    Price {
        provider,
        model,
        input,
        cached,
        output,
    }
}

#[rustfmt::skip]
const PRICES: &[Price] = &[
    price("openai", "gpt-5", 1.25, 0.125, 10.0),
    price("openai", "gpt-5-mini", 0.25, 0.025, 2.0),
    price("openai", "gpt-5-nano", 0.05, 0.005, 0.4),
    price("openai", "gpt-4.1", 2.0, 0.5, 8.0),
    price("openai", "gpt-4.1-mini", 0.4, 0.1, 1.6),
    price("openai", "gpt-4.1-nano", 0.1, 0.025, 0.4),
    price("openai", "gpt-4o", 2.5, 1.25, 10.0),
    price("openai", "gpt-4o-mini", 0.15, 0.075, 0.6),
    price("openai", "o3", 2.0, 0.5, 8.0),
    price("openai", "o4-mini", 1.1, 0.275, 4.4),
    price("openai", "text-embedding-3-small", 0.02, 0.02, 0.0),
    price("openai", "text-embedding-3-large", 0.13, 0.13, 0.0),
    price("anthropic", "claude-opus-4", 15.0, 1.5, 75.0),
    price("anthropic", "claude-sonnet-4", 3.0, 0.3, 15.0),
    price("anthropic", "claude-3-7-sonnet", 3.0, 0.3, 15.0),
    price("anthropic", "claude-3-5-sonnet", 3.0, 0.3, 15.0),
    price("anthropic", "claude-3-5-haiku", 0.8, 0.08, 4.0),
    price("gemini", "gemini-2.5-pro", 1.25, 0.31, 10.0),
    price("gemini", "gemini-2.5-flash", 0.3, 0.075, 2.5),
    price("gemini", "gemini-2.5-flash-lite", 0.1, 0.025, 0.4),
    price("gemini", "gemini-2.0-flash", 0.1, 0.025, 0.4),
];

/// Credits of a call: what the provider itself says it cost, else by the table.
pub(super) fn credits(provider: &str, model: &str, usage: &Usage) -> Option<f64> {
    if let Some(dollars) = usage.cost {
        return Some(dollars * 100.0);
    }
    let fits = |price: &&Price| price.provider == provider && model.starts_with(price.model);
    let price = PRICES.iter().filter(fits).max_by_key(|p| p.model.len())?;
    let fresh = usage.input.saturating_sub(usage.cached);
    let dollars = fresh as f64 * price.input
        + usage.cached as f64 * price.cached
        + usage.output as f64 * price.output;
    Some(dollars / 1e6 * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_name_counts_and_what_is_not_known_has_no_cost() {
        let usage = Usage {
            input: 1_000_000,
            output: 100_000,
            cached: 400_000,
            ..Usage::default()
        };
        // 600,000 at $0.15, 400,000 at $0.075 and 100,000 at $0.60 a million.
        let mini = credits("openai", "gpt-4o-mini-2024-07-18", &usage).unwrap();
        assert!((mini - 18.0).abs() < 1e-9, "{mini}");
        assert_eq!(credits("openai", "nobody-knows", &usage), None);
        let told = Usage {
            cost: Some(0.03),
            ..usage
        };
        let told = credits("openrouter", "x/y", &told).unwrap();
        assert!((told - 3.0).abs() < 1e-9);
    }
}
