//! Vectors as services write them: a list for each text. It must not know who writes them.

use nodetool_sdk::models::ModelError;
use serde_json::Value;

use crate::Account;

/// The vectors for so many texts, all of one length and made of plain numbers.
pub(crate) fn read(
    account: &Account,
    json: &Value,
    texts: usize,
) -> Result<Vec<Vec<f32>>, ModelError> {
    let rows = json
        .as_array()
        .ok_or_else(|| account.nonsense("no list of vectors"))?;
    if rows.len() != texts {
        let what = format!("{} vectors for {texts} texts", rows.len());
        return Err(account.nonsense(what));
    }
    let number = |value: &Value| {
        let number = value.as_f64()? as f32;
        number.is_finite().then_some(number)
    };
    let vector = |row: &Value| {
        row.as_array()?
            .iter()
            .map(number)
            .collect::<Option<Vec<f32>>>()
    };
    let vectors: Option<Vec<Vec<f32>>> = rows.iter().map(vector).collect();
    let vectors = vectors.ok_or_else(|| account.nonsense("a vector that is no list of numbers"))?;
    let length = vectors.first().map_or(0, Vec::len);
    if length == 0 || vectors.iter().any(|vector| vector.len() != length) {
        return Err(account.nonsense("vectors that are empty or of several lengths"));
    }
    Ok(vectors)
}
