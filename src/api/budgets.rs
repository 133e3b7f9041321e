//! Budgets: limits of what may be spent on models. Layer `api`. Keeps I10, I12.

use super::resource::resource_routes;
use crate::operate::configuration::Budgets;
use crate::operate::permission::ChangeBudgets;

resource_routes! {
    Budgets: ChangeBudgets;
    list "list_budgets" "/api/v1/budgets" "Lists budgets as they are configured."
        => r#"{"items":[{"name":"fleet-tokens-day","origin":"api","enabled":true,"keys":{"scope":"fleet","name":null,"unit":"tokens","per":"day","limit":1000000},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}],"next":null}"#;
    get "get_budget" "/api/v1/budgets/{name}" "Shows a budget as it is configured." "/api/v1/budgets/fleet-tokens-day"
        => r#"{"name":"fleet-tokens-day","origin":"api","enabled":true,"keys":{"scope":"fleet","name":null,"unit":"tokens","per":"day","limit":1000000},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}"#;
    create "create_budget" "Makes a budget."
        with r#"{"keys":{"scope":"fleet","unit":"tokens","per":"day","limit":1000000}}"#
        => r#"{"name":"fleet-tokens-day","origin":"api","enabled":true,"keys":{"scope":"fleet","name":null,"unit":"tokens","per":"day","limit":1000000},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}"#;
    change "change_budget" "Changes a budget."
        with r#"{"keys":{"limit":2000000}}"#
        => r#"{"name":"fleet-tokens-day","origin":"manifest","manifest":"fleet.toml","enabled":true,"keys":{"scope":"fleet","name":null,"unit":"tokens","per":"day","limit":1000000},"overrides":[{"field":"limit","value":2000000,"manifest":1000000,"by":"ayse","at":1790000000000}],"changed_by":"ayse","changed_at":1790000000000,"version":8}"#;
    remove "delete_budget" "Removes a budget that the API made.";
    back "give_back_budget" "/api/v1/budgets/{name}/overrides/{field}" "Gives a field of a budget back to its manifest."
        "/api/v1/budgets/fleet-tokens-day/overrides/limit"
        => r#"{"name":"fleet-tokens-day","origin":"manifest","manifest":"fleet.toml","enabled":true,"keys":{"scope":"fleet","name":null,"unit":"tokens","per":"day","limit":1000000},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":9}"#;
    unknown UnknownResource;
}
