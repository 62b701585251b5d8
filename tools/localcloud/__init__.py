"""A self-hosted cloud for GAgent modules and the apps that speak the Open API: HTTP, MQTT, a database."""
