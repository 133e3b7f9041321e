//! Strategies: the weights by which directors of chats choose who speaks. Layer `api`. Keeps I10, I12.

use super::resource::resource_routes;
use crate::operate::configuration::Strategies;
use crate::operate::permission::ChangeRoster;

resource_routes! {
    Strategies: ChangeRoster;
    list "list_strategies" "/api/v1/strategies" "Lists strategies as they are configured."
        => r#"{"items":[{"name":"calm-nights","origin":"api","enabled":true,"keys":{"question":0.7},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}],"next":null}"#;
    get "get_strategy" "/api/v1/strategies/{name}" "Shows a strategy as it is configured." "/api/v1/strategies/calm-nights"
        => r#"{"name":"calm-nights","origin":"api","enabled":true,"keys":{"question":0.7},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}"#;
    create "create_strategy" "Makes a strategy."
        with r#"{"name":"calm-nights","keys":{"question":0.7}}"#
        => r#"{"name":"calm-nights","origin":"api","enabled":true,"keys":{"question":0.7},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}"#;
    change "change_strategy" "Changes a strategy."
        with r#"{"keys":{"question":0.5}}"#
        => r#"{"name":"calm-nights","origin":"manifest","manifest":"fleet.toml","enabled":true,"keys":{"question":0.7},"overrides":[{"field":"question","value":0.5,"manifest":0.7,"by":"ayse","at":1790000000000}],"changed_by":"ayse","changed_at":1790000000000,"version":8}"#;
    remove "delete_strategy" "Removes a strategy that the API made.";
    back "give_back_strategy" "/api/v1/strategies/{name}/overrides/{field}" "Gives a field of a strategy back to its manifest."
        "/api/v1/strategies/calm-nights/overrides/question"
        => r#"{"name":"calm-nights","origin":"manifest","manifest":"fleet.toml","enabled":true,"keys":{"question":0.7},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":9}"#;
    unknown UnknownResource;
}
