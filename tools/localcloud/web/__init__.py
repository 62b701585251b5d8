"""The pages of the web console: one HTML file, plain CSS and JavaScript modules, served as they are."""
