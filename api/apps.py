from django.apps import AppConfig
from django.urls import register_converter


class ApiConfig(AppConfig):
    name = "api"

    def ready(self) -> None:
        from api.paths import IdConverter

        register_converter(IdConverter, "id")
