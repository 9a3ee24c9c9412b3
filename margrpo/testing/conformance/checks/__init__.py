"""The promises of each kind of component, each as a function that raises if the promise is broken."""
