package config

import "github.com/extractq/extractq/internal/secret"

// Secret is a string that shows itself only through Reveal.
type Secret = secret.Secret

// NewSecret hides s. The empty string is the zero Secret.
func NewSecret(s string) Secret { return secret.New(s) }
