//! `search.google_extra.GoogleFlights`.

use nodetool_sdk::{Map, Node, NodeCx, NodeError, Process, Value};

use super::super::found::{Found, Pick, list, record};
use super::super::serp_api::{Question, bounded, required};
use super::day::{day, not_before, within};

const FIELDS: &[Pick] = &[
    ("price", "price"),
    ("total_duration", "total_duration"),
    ("type", "type"),
    ("carbon_emissions", "carbon_emissions.this_flight"),
    ("flights", "flights"),
    ("layovers", "layovers"),
    ("departure_token", "departure_token"),
    ("booking_token", "booking_token"),
];
/// Most connections that are given.
const MOST: usize = 50;

const ROUND_TRIP: i64 = 1;
const ONE_WAY: i64 = 2;
const MULTI_CITY: i64 = 3;

/// Finds flights and their prices with Google.
/// google, flights, airlines, travel, tickets, journey
///
/// Each result is a connection: its price, its minutes and the flights it is made of. A round trip without a day of
/// return is looked for as one way.
#[derive(Node)]
#[node(
    namespace = "search.google_extra",
    tool,
    uncached,
    basic(
        "departure_id",
        "arrival_id",
        "outbound_date",
        "return_date",
        "trip_type",
        "adults",
        "travel_class",
        "currency",
        "stops",
        "sort_by"
    )
)]
pub(super) struct GoogleFlights {
    /// Code of the airport it starts at, such as SFO.
    departure_id: String,
    /// Code of the airport it goes to, such as BER.
    arrival_id: String,
    /// Day of departure, such as 2026-05-31.
    outbound_date: String,
    /// Day of return; empty for one way.
    return_date: String,
    /// 1 for a round trip, 2 for one way.
    #[prop(default = 1)]
    trip_type: i64,
    /// Grown-up passengers.
    #[prop(default = 1)]
    adults: i64,
    /// 1 economy, 2 premium economy, 3 business, 4 first.
    #[prop(default = 1)]
    travel_class: i64,
    /// Code of the currency of prices.
    #[prop(default = "USD")]
    currency: String,
    /// 0 any, 1 non-stop, 2 at most one stop, 3 at most two.
    stops: i64,
    /// 1 best, 2 price, 3 departure, 4 arrival, 5 duration, 6 emissions.
    #[prop(default = 1)]
    sort_by: i64,
}

impl Process for GoogleFlights {
    type Output = Found;

    async fn process(self, cx: &NodeCx) -> Result<Found, NodeError> {
        let airport = "an airport such as SFO";
        let from = required("departure_id", &self.departure_id, airport)?;
        let to = required("arrival_id", &self.arrival_id, airport)?;
        let outbound = day("outbound_date", &self.outbound_date)?;
        let mut question = Question::to("google_flights")
            .with("departure_id", from)
            .with("arrival_id", to)
            .with("outbound_date", &outbound.to_string());
        let back = self.return_date.trim();
        let trip = match self.trip_type {
            ROUND_TRIP if back.is_empty() => ONE_WAY,
            ROUND_TRIP => {
                let back = day("return_date", back)?;
                not_before("return_date", back, ("outbound_date", outbound))?;
                question = question.with("return_date", &back.to_string());
                ROUND_TRIP
            }
            ONE_WAY => ONE_WAY,
            MULTI_CITY => {
                let message = "3 (expected 1 or 2: look for each leg of a journey by itself)";
                return Err(NodeError::bad("trip_type", message));
            }
            other => {
                let message = format!("{other} (expected 1 for a round trip or 2 for one way)");
                return Err(NodeError::bad("trip_type", message));
            }
        };
        let answer = question
            .number("type", trip)
            .number("adults", within("adults", self.adults, 1, 9)?)
            .number(
                "travel_class",
                within("travel_class", self.travel_class, 1, 4)?,
            )
            .with("currency", bounded("currency", &self.currency)?)
            .number_unless("stops", within("stops", self.stops, 0, 3)?, 0)
            .number_unless("sort_by", within("sort_by", self.sort_by, 1, 6)?, 1)
            .ask(cx)
            .await?;
        let best = list(&answer, "best_flights").iter();
        let all = best.chain(list(&answer, "other_flights")).take(MOST);
        Ok(Found::records(all.map(connection).collect()))
    }
}

/// A connection, with what it is in one line first.
fn connection(item: &Value) -> Map {
    let legs: Vec<String> = list(item, "flights").iter().map(leg).collect();
    let mut record = record(item, FIELDS);
    let summary = match legs.is_empty() {
        true => "Flight".to_owned(),
        false => legs.join("; "),
    };
    record.shift_insert(0, "summary".into(), summary.into());
    record
}

/// One flight in words.
fn leg(flight: &Value) -> String {
    let text = |path: [&str; 2]| {
        let found = flight.get(path[0]).and_then(|v| v.get(path[1]));
        found.and_then(Value::as_str).unwrap_or("?").to_owned()
    };
    let own = |key: &str| flight.get(key).and_then(Value::as_str).unwrap_or("?");
    format!(
        "{} {}: {} {} to {} {}",
        own("airline"),
        own("flight_number"),
        text(["departure_airport", "id"]),
        text(["departure_airport", "time"]),
        text(["arrival_airport", "id"]),
        text(["arrival_airport", "time"]),
    )
}

#[cfg(test)]
mod tests {
    use nodetool_sdk::testing::{Case, case};

    use super::super::super::testing::Engine;
    use super::*;

    const BODY: &str = r#"{"best_flights":[{"price":450,"total_duration":655,"flights":[{"airline":"LH","flight_number":"LH 455",
        "departure_airport":{"id":"SFO","time":"10:00"},"arrival_airport":{"id":"FRA","time":"06:00"}}]}],"other_flights":[{"price":9}]}"#;

    fn flights() -> Case {
        case::<GoogleFlights>()
            .set("departure_id", "SFO")
            .set("arrival_id", "BER")
            .set("outbound_date", "2026-05-01")
    }

    #[tokio::test]
    async fn connections_are_told_in_a_line_and_without_a_return_it_is_one_way() {
        let engine = Engine::saying(200, BODY);
        let given = flights().within(engine.cx()).run().await.unwrap();
        let text = given[0]["text"].as_str().unwrap();
        let want = "1. LH LH 455: SFO 10:00 to FRA 06:00\n   price: 450\n   total_duration: 655";
        assert!(text.starts_with(want), "{text}");
        assert_eq!(given[0]["results"].as_list().unwrap().len(), 2);
        assert_eq!(engine.field("type").as_deref(), Some("2"));
        assert_eq!(engine.field("stops"), None);
        let back = flights().set("return_date", "2026-05-06");
        back.within(engine.cx()).run().await.unwrap();
        assert_eq!(engine.field("type").as_deref(), Some("1"));
        assert_eq!(engine.field("return_date").as_deref(), Some("2026-05-06"));
    }

    #[tokio::test]
    async fn journeys_that_cannot_be_are_refused_by_name() {
        for (property, value) in [
            ("outbound_date", Value::from("tomorrow")),
            ("return_date", "2026-04-30".into()),
            ("trip_type", 3i64.into()),
            ("adults", 0i64.into()),
            ("departure_id", "".into()),
        ] {
            let run = flights().set(property, value);
            let run = run.within(Engine::saying(200, BODY).cx()).run();
            let refused = run.await.unwrap_err().to_string();
            assert!(refused.contains(&format!("`{property}`")), "{refused}");
        }
    }
}
