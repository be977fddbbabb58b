//! What tokens cost: list prices of a provider's models, as its operator wrote them down.

use super::ModelPattern;

/// What a model's tokens cost, in millionths of a US dollar for a million of them: the unit in which no list price has a fraction.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Price {
    /// The models, by the names that the provider has for them.
    pub model: ModelPattern,
    /// Tokens of the prompt.
    pub prompt: u64,
    /// Tokens of the reply.
    pub completion: u64,
}

impl Price {
    /// What an exchange cost, in billionths of a US dollar; a half is rounded up.
    pub fn cost(&self, prompt_tokens: u64, completion_tokens: u64) -> u64 {
        let of = |tokens: u64, price: u64| u128::from(tokens) * u128::from(price);
        let sum = of(prompt_tokens, self.prompt).saturating_add(of(completion_tokens, self.completion));
        u64::try_from(sum.saturating_add(PER_UNIT / 2) / PER_UNIT).unwrap_or(u64::MAX)
    }
}

/// The first price that names the model.
pub fn price<'p>(prices: &'p [Price], model: &str) -> Option<&'p Price> {
    prices.iter().find(|price| price.model.matches(model))
}

/// A millionth of a millionth of a dollar for each token, in billionths of a dollar.
const PER_UNIT: u128 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_are_exact_down_to_a_billionth_of_a_dollar() {
        let of = |prompt, completion| Price { model: ModelPattern::new("*"), prompt, completion };
        // 2.50 and 10 dollars a million.
        assert_eq!(of(2_500_000, 10_000_000).cost(1000, 500), 7_500_000);
        // 0.0375 dollars a million: 37.5 billionths for one token.
        assert_eq!(of(37_500, 0).cost(1, 9), 38);
        assert_eq!(of(37_500, 0).cost(2, 0), 75);
        assert_eq!(of(0, 0).cost(7, 7), 0);
        assert_eq!(of(u64::MAX, u64::MAX).cost(u64::MAX, u64::MAX), u64::MAX);
    }

    #[test]
    fn the_first_that_fits_counts() {
        let of = |name: &str, prompt| Price { model: ModelPattern::new(name), prompt, completion: 0 };
        let prices = [of("gpt-4o-mini", 1), of("gpt-4o*", 2)];
        assert_eq!(price(&prices, "gpt-4o-mini").unwrap().prompt, 1);
        assert_eq!(price(&prices, "gpt-4o-2024").unwrap().prompt, 2);
        assert!(price(&prices, "o3").is_none());
    }
}
