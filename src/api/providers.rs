//! Providers of models. Layer `api`. Keeps I10, I12.

use super::resource::resource_routes;
use crate::operate::configuration::Providers;
use crate::operate::permission::ChangeProviders;

resource_routes! {
    Providers: ChangeProviders;
    list "list_providers" "/api/v1/providers" "Lists providers as they are configured."
        => r#"{"items":[{"name":"local","origin":"api","enabled":true,"keys":{"kind":"ollama","model":"llama3.2","api_key":null},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}],"next":null}"#;
    get "get_provider" "/api/v1/providers/{name}" "Shows a provider as it is configured." "/api/v1/providers/local"
        => r#"{"name":"local","origin":"api","enabled":true,"keys":{"kind":"ollama","model":"llama3.2","api_key":null},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}"#;
    create "create_provider" "Makes a provider."
        with r#"{"name":"local","keys":{"kind":"ollama","model":"llama3.2"}}"#
        => r#"{"name":"local","origin":"api","enabled":true,"keys":{"kind":"ollama","model":"llama3.2","api_key":null},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":7}"#;
    change "change_provider" "Changes a provider."
        with r#"{"keys":{"concurrency":8}}"#
        => r#"{"name":"local","origin":"manifest","manifest":"fleet.toml","enabled":true,"keys":{"kind":"ollama","model":"llama3.2","api_key":null},"overrides":[{"field":"concurrency","value":8,"manifest":4,"by":"ayse","at":1790000000000}],"changed_by":"ayse","changed_at":1790000000000,"version":8}"#;
    remove "delete_provider" "Removes a provider that the API made.";
    back "give_back_provider" "/api/v1/providers/{name}/overrides/{field}" "Gives a field of a provider back to its manifest."
        "/api/v1/providers/local/overrides/concurrency"
        => r#"{"name":"local","origin":"manifest","manifest":"fleet.toml","enabled":true,"keys":{"kind":"ollama","model":"llama3.2","api_key":null},"overrides":[],"changed_by":"ayse","changed_at":1790000000000,"version":9}"#;
    unknown UnknownResource;
}
