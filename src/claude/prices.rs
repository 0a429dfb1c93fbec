//! What tokens cost, and how large context windows are: one dated table.
//!
//! Taken from the model catalogue that Claude Code 2.1.330 (built 2026-11-20) carries in its bundle: the list prices
//! of the first-party API that its own cost figures start from. What is not in the table is not guessed: no price, no
//! window. Billing by other providers, by agreement or by subscription is not known here.

use crate::domain::{ModelTokens, Tokens};

/// The day of the table.
pub const AS_OF: &str = "2026-11-20";

/// The mark that a model chosen with a window of a million tokens carries behind its name (2.1.197, 2.1.330).
const LONG_WINDOW_MARK: &str = "[1m]";

/// The window that the mark stands for, in tokens.
const LONG_WINDOW: u64 = 1_000_000;

/// US dollars for one web search.
const WEB_SEARCH: f64 = 0.01;

/// US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Price {
    input: f64,
    output: f64,
    cache_5m: f64,
    cache_1h: f64,
    cache_read: f64,
}

/// A price whose cache costs follow from the input's as nearly all do: 1.25 times for five minutes, twice for an hour.
const fn price(input: f64, output: f64, cache_read: f64) -> Price {
    Price { input, output, cache_5m: input * 1.25, cache_1h: input * 2.0, cache_read }
}

/// What a prompt costs that is longer than so many tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Long {
    /// The same.
    Flat,
    /// This.
    Above(u64, Price),
    /// Not known.
    Unknown(u64),
}

/// One model.
struct Model {
    /// Its name without the date.
    name: &'static str,
    price: Price,
    long: Long,
    /// Its context window in tokens.
    window: u64,
}

const fn model(name: &'static str, price: Price, window: u64) -> Model {
    Model { name, price, long: Long::Flat, window }
}

/// The catalogue gives Sonnet 4 and 4.5 no price for prompts beyond the plain window, which the API bills higher.
const fn sonnet_4(name: &'static str) -> Model {
    Model { name, price: SONNET, long: Long::Unknown(PLAIN), window: PLAIN }
}

const PLAIN: u64 = 200_000;
const SONNET: Price = price(3.0, 15.0, 0.3);
const OPUS: Price = price(5.0, 25.0, 0.5);
const OPUS_4: Price = price(15.0, 75.0, 1.5);
const HAIKU_5: Price = price(0.1, 0.5, 0.01);
const HAIKU_5_LONG: Price = price(0.5, 2.5, 0.05);

/// The table.
const MODELS: &[Model] = &[
    model("claude-3-5-haiku", price(0.8, 4.0, 0.08), PLAIN),
    model("claude-haiku-4-5", price(1.0, 5.0, 0.1), PLAIN),
    Model {
        name: "claude-haiku-5-5",
        price: HAIKU_5,
        long: Long::Above(100_000, HAIKU_5_LONG),
        window: LONG_WINDOW,
    },
    model("claude-3-5-sonnet", SONNET, PLAIN),
    model("claude-3-7-sonnet", SONNET, PLAIN),
    sonnet_4("claude-sonnet-4"),
    sonnet_4("claude-sonnet-4-0"),
    sonnet_4("claude-sonnet-4-5"),
    model("claude-sonnet-4-6", SONNET, PLAIN),
    model("claude-sonnet-5", price(2.0, 10.0, 0.2), LONG_WINDOW),
    model("claude-sonnet-5-5", price(2.0, 10.0, 0.1), LONG_WINDOW),
    model("claude-opus-4", OPUS_4, PLAIN),
    model("claude-opus-4-0", OPUS_4, PLAIN),
    model("claude-opus-4-1", OPUS_4, PLAIN),
    model("claude-opus-4-5", OPUS, PLAIN),
    model("claude-opus-4-6", OPUS, PLAIN),
    model("claude-opus-4-7", OPUS, LONG_WINDOW),
    model("claude-opus-4-8", OPUS, LONG_WINDOW),
    model("claude-opus-5", OPUS, LONG_WINDOW),
    model("claude-opus-5-5", price(4.0, 20.0, 0.2), LONG_WINDOW),
    model("claude-fable-5", price(10.0, 50.0, 1.0), LONG_WINDOW),
    model("claude-fable-5-1", price(10.0, 50.0, 0.25), LONG_WINDOW),
    model("claude-fable-5-2", price(8.0, 40.0, 0.2), LONG_WINDOW),
    model("claude-mythos-5", price(10.0, 50.0, 1.0), LONG_WINDOW),
    model("claude-mythos-5-1", price(10.0, 50.0, 0.25), LONG_WINDOW),
    model("claude-mythos-5-2", price(8.0, 40.0, 0.2), LONG_WINDOW),
];

/// Finds a model by its name, with or without its date and the mark. A name that goes on otherwise is another model's.
fn find(name: &str) -> Option<&'static Model> {
    let name = name.strip_suffix(LONG_WINDOW_MARK).unwrap_or(name);
    let dated = |rest: &str| {
        rest.strip_prefix('-').is_some_and(|date| date.len() == 8 && date.bytes().all(|b| b.is_ascii_digit()))
    };
    MODELS
        .iter()
        .find(|model| name.strip_prefix(model.name).is_some_and(|rest| rest.is_empty() || dated(rest)))
}

/// A row of the table as it is told: US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ListPrice {
    /// The model's name without the date.
    pub model: &'static str,
    /// Read uncached.
    pub input: f64,
    /// Written.
    pub output: f64,
    /// Put into the cache for five minutes.
    pub cache_write: f64,
    /// Read from the cache.
    pub cache_read: f64,
}

/// Gives the table, without what long prompts cost where that differs.
pub fn table() -> impl Iterator<Item = ListPrice> {
    MODELS.iter().map(|Model { name, price, .. }| ListPrice {
        model: name,
        input: price.input,
        output: price.output,
        cache_write: price.cache_5m,
        cache_read: price.cache_read,
    })
}

/// What tokens are billed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Billing {
    /// The model's price.
    Standard,
    /// Its price for long prompts.
    Long,
    /// Some other price.
    Other,
}

/// How the tokens of one API message are billed. Of a model that is not in the table all are `Standard`: it has no
/// price anyway.
#[must_use]
pub fn billing(model: &str, tokens: &Tokens, standard: bool) -> Billing {
    let context = tokens.context();
    match find(model).map_or(Long::Flat, |model| model.long) {
        _ if !standard => Billing::Other,
        Long::Above(most, _) if context > most => Billing::Long,
        Long::Unknown(most) if context > most => Billing::Other,
        Long::Flat | Long::Above(..) | Long::Unknown(_) => Billing::Standard,
    }
}

/// What a model's tokens cost by the table, in US dollars.
///
/// # Errors
///
/// A sentence that says why it is not known. Half a cost is none.
pub fn cost(model: &str, tokens: &ModelTokens) -> Result<f64, String> {
    let Some(known) = find(model) else { return Err(format!("no price is known for {model}")) };
    if tokens.other != Tokens::default() {
        return Err(format!(
            "some of {model} ran at another speed, tier or length than a price is known for"
        ));
    }
    let long = match known.long {
        Long::Above(_, price) => price,
        Long::Flat | Long::Unknown(_) => known.price,
    };
    Ok(known.price.of(&tokens.standard) + long.of(&tokens.long))
}

impl Price {
    fn of(self, tokens: &Tokens) -> f64 {
        let cache_5m = tokens.cache_creation.saturating_sub(tokens.cache_creation_1h);
        let millionths = [
            (tokens.input, self.input),
            (tokens.output, self.output),
            (cache_5m, self.cache_5m),
            (tokens.cache_creation_1h, self.cache_1h),
            (tokens.cache_read, self.cache_read),
        ];
        let tokens_cost: f64 = millionths.into_iter().map(|(count, price)| float(count) * price).sum();
        tokens_cost / 1e6 + float(tokens.web_searches) * WEB_SEARCH
    }
}

/// Exact up to 2^53, which no session comes near.
#[allow(clippy::cast_precision_loss)]
fn float(count: u64) -> f64 {
    count as f64
}

/// The context window of a model in tokens, `None` if it is not known. `chosen` is the name under which Claude Code
/// runs it, which tells whether it was chosen with a window of a million.
#[must_use]
pub fn window(model: &str, chosen: Option<&str>) -> Option<u64> {
    let known = find(model)?;
    let marked = chosen.and_then(|chosen| chosen.strip_suffix(LONG_WINDOW_MARK));
    let long = marked.and_then(find).is_some_and(|chosen| chosen.name == known.name);
    Some(if long { LONG_WINDOW } else { known.window })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn tokens(
        input: u64,
        output: u64,
        cache_read: u64,
        cache_creation: u64,
        cache_creation_1h: u64,
    ) -> Tokens {
        Tokens { input, output, cache_read, cache_creation, cache_creation_1h, web_searches: 0 }
    }

    fn dollars(model: &str, standard: Tokens) -> Option<f64> {
        cost(model, &ModelTokens { api_messages: 1, standard, ..ModelTokens::default() }).ok()
    }

    #[rstest]
    #[case::plain("claude-opus-4-8", tokens(10, 22, 0, 0, 0), 0.0006)]
    #[case::dated("claude-haiku-4-5-20251001", tokens(1_000_000, 0, 0, 0, 0), 1.0)]
    #[case::marked("claude-opus-4-8[1m]", tokens(0, 1_000_000, 0, 0, 0), 25.0)]
    #[case::cache_read("claude-sonnet-4-6", tokens(0, 0, 1_000_000, 0, 0), 0.3)]
    #[case::cache_5m("claude-sonnet-4-6", tokens(0, 0, 0, 1_000_000, 0), 3.75)]
    #[case::cache_1h("claude-sonnet-4-6", tokens(0, 0, 0, 1_000_000, 1_000_000), 6.0)]
    #[case::first_of_its_line("claude-opus-4-20250514", tokens(1_000_000, 0, 0, 0, 0), 15.0)]
    fn a_known_model_has_a_cost(#[case] model: &str, #[case] tokens: Tokens, #[case] expected: f64) {
        let told = dollars(model, tokens).unwrap();
        assert!((told - expected).abs() < 1e-12, "{told}");
    }

    #[rstest]
    #[case::unheard_of("claude-fake")]
    #[case::a_newer_one("claude-opus-5-7")]
    #[case::another_provider("us.anthropic.claude-opus-4-8")]
    #[case::none("")]
    fn what_is_not_in_the_table_has_none(#[case] model: &str) {
        assert_eq!((dollars(model, tokens(1, 1, 0, 0, 0)), window(model, None)), (None, None));
    }

    #[test]
    fn web_searches_are_billed_apiece() {
        let searched = Tokens { web_searches: 3, ..Tokens::default() };
        assert!((dollars("claude-opus-5", searched).unwrap() - 0.03).abs() < 1e-12);
    }

    #[test]
    fn long_prompts_cost_more_where_that_is_known_and_have_no_cost_where_not() {
        let long = tokens(100_001, 0, 0, 0, 0);
        assert_eq!(billing("claude-haiku-5-5", &long, true), Billing::Long);
        let of = ModelTokens { api_messages: 1, long, ..ModelTokens::default() };
        assert!((cost("claude-haiku-5-5", &of).unwrap() - 0.050_000_5).abs() < 1e-12);
        assert_eq!(billing("claude-sonnet-4-5", &tokens(0, 0, 200_001, 0, 0), true), Billing::Other);
        assert_eq!(billing("claude-opus-5", &tokens(0, 0, 900_000, 0, 0), true), Billing::Standard);
        assert_eq!(billing("claude-opus-5", &long, false), Billing::Other);
        let other = ModelTokens { api_messages: 1, other: long, ..ModelTokens::default() };
        assert!(cost("claude-opus-5", &other).is_err());
    }

    #[rstest]
    #[case::native("claude-opus-4-8", None, 1_000_000)]
    #[case::plain("claude-opus-4-6", Some("claude-opus-4-6"), 200_000)]
    #[case::chosen("claude-opus-4-6", Some("claude-opus-4-6[1m]"), 1_000_000)]
    #[case::another_was_chosen("claude-haiku-4-5", Some("claude-opus-4-6[1m]"), 200_000)]
    fn a_window_is_known(#[case] model: &str, #[case] chosen: Option<&str>, #[case] expected: u64) {
        assert_eq!(window(model, chosen), Some(expected));
    }

    #[test]
    fn every_name_finds_its_own_row() {
        for model in MODELS {
            for name in [model.name.to_owned(), format!("{}-20260101", model.name)] {
                assert_eq!(find(&name).unwrap().name, model.name);
            }
        }
    }
}
