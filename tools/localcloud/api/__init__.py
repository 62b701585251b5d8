"""The handlers of the Open API, one file per chapter of its manual. A handler is (request, cloud) -> answer."""
