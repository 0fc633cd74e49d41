package signin

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Authentication is the API server's AuthenticationConfiguration by which it lets in who comes with an
// ID token of the issuer: under the names that a session has, and under its conditions. So kubectl
// signs in at the same issuer, and a token is as good for the HTTP API, which asks the API server.
// Authority is the certificate of the issuer's own authority; empty means those of the machine.
func (o *OIDC) Authentication(authority []byte) ([]byte, error) {
	rules := []map[string]any{}
	if o.cfg.UserClaim == "email" {
		rules = append(rules, map[string]any{
			"expression": "claims.?email_verified.orValue(false) == true", "message": "the issuer has not verified the email address",
		})
	}
	for _, claim := range sortedKeys(o.cfg.Required) {
		rules = append(rules, map[string]any{"claim": claim, "requiredValue": o.cfg.Required[claim]})
	}
	from := map[string]any{"url": o.cfg.Issuer, "audiences": append([]string{o.cfg.ClientID}, o.cfg.Audiences...)}
	if len(o.cfg.Audiences) > 0 {
		from["audienceMatchPolicy"] = "MatchAny"
	}
	if len(authority) > 0 {
		from["certificateAuthority"] = strings.TrimSpace(string(authority)) + "\n"
	}
	text, err := json.Marshal(map[string]any{
		"apiVersion": "apiserver.config.k8s.io/v1", "kind": "AuthenticationConfiguration",
		"jwt": []any{map[string]any{
			"issuer":               from,
			"claimValidationRules": rules,
			"claimMappings": map[string]any{
				"username": map[string]any{"claim": o.cfg.UserClaim, "prefix": o.cfg.UserPrefix},
				"groups":   map[string]any{"claim": o.cfg.GroupsClaim, "prefix": o.cfg.GroupsPrefix},
			},
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("writing the authentication of the API server: %w", err)
	}
	return text, nil
}
