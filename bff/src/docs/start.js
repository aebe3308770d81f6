// Validation by a service of others stays off: the page asks nobody but us.
globalThis.SwaggerUIBundle({ url: "/openapi.yaml", dom_id: "#page", validatorUrl: null, tryItOutEnabled: true });
