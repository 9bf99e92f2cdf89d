"""The application factory."""

from __future__ import annotations

from flask import Flask
from flask_cors import CORS

from scanner.api.auth import refuse_strange_pages, require_key
from scanner.api.base import base_routes
from scanner.api.continuous import continuous_routes, health_routes
from scanner.api.gaps import gap_routes
from scanner.api.parameters import refuse_unknown_parameters
from scanner.api.parsing import LONGEST_BODY
from scanner.api.rendering import OrjsonProvider, register_errors
from scanner.api.training import training_routes
from scanner.runtime.service import ScannerService


def create_app(service: ScannerService) -> Flask:
    """A Flask application that answers from `service`; building it starts nothing."""
    settings = service.settings
    app = Flask("scanner_api", static_folder=None)
    app.json = OrjsonProvider(app)
    app.config["MAX_CONTENT_LENGTH"] = LONGEST_BODY
    origins = [origin.strip() for origin in settings.cors_origins.split(",") if origin.strip()]
    CORS(app, origins=origins, always_send=False)
    refuse_strange_pages(app, origins, settings.host)
    if settings.api_key:
        require_key(app, settings.api_key)
    refuse_unknown_parameters(app)
    app.register_blueprint(health_routes(service))
    app.register_blueprint(continuous_routes(service))
    app.register_blueprint(gap_routes(service))
    app.register_blueprint(training_routes(service))
    app.register_blueprint(base_routes(service.base))
    register_errors(app)
    return app
