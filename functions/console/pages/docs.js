"use strict";
// The key that is typed into "Authorize" stays in this page's memory: nothing is written to the browser's storage.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  docExpansion: "list",
  persistAuthorization: false,
  syntaxHighlight: { theme: "agate" },
  tryItOutEnabled: true,
  validatorUrl: null,
});
