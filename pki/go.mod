module portico.dev/portico/pki

go 1.26.0
