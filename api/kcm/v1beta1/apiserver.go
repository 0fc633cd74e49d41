package v1beta1

// This file restates two configurations of the API server: who may sign in, and what is
// written to the audit log. Both have the JSON of the originals without kind and apiVersion.

// AuthenticationConfiguration says who may sign in to an API server.
type AuthenticationConfiguration struct {
	// JWT are the issuers of tokens that are believed.
	JWT []JWTAuthenticator `json:"jwt"`
	// Anonymous says what may be asked without signing in.
	// +optional
	Anonymous *AnonymousAuthConfig `json:"anonymous,omitempty"`
}

// AnonymousAuthConfig says what may be asked without signing in.
type AnonymousAuthConfig struct {
	// Enabled allows it.
	Enabled bool `json:"enabled"`
	// Conditions are the only cases in which it is allowed. Empty means all.
	// +optional
	Conditions []AnonymousAuthCondition `json:"conditions,omitempty"`
}

// AnonymousAuthCondition is a case in which nobody has to sign in.
type AnonymousAuthCondition struct {
	// Path that is asked for.
	Path string `json:"path"`
}

// JWTAuthenticator believes the tokens of one issuer.
type JWTAuthenticator struct {
	// Issuer of the tokens.
	Issuer Issuer `json:"issuer"`
	// ClaimValidationRules have to hold for the claims of a token.
	// +optional
	ClaimValidationRules []ClaimValidationRule `json:"claimValidationRules,omitempty"`
	// ClaimMappings say which claims make the user.
	ClaimMappings ClaimMappings `json:"claimMappings"`
	// UserValidationRules have to hold for the user.
	// +optional
	UserValidationRules []UserValidationRule `json:"userValidationRules,omitempty"`
}

// Issuer is who issues tokens.
type Issuer struct {
	// URL of the issuer, as in the claim "iss". No two issuers have the same.
	URL string `json:"url"`
	// DiscoveryURL is where the issuer describes itself, if not below URL.
	// +optional
	DiscoveryURL *string `json:"discoveryURL,omitempty"`
	// CertificateAuthority holds certificates in PEM that the issuer's certificate is checked
	// with. Empty means those of the system.
	// +optional
	CertificateAuthority string `json:"certificateAuthority,omitempty"`
	// Audiences that tokens are accepted for.
	Audiences []string `json:"audiences"`
	// AudienceMatchPolicy is MatchAny when there is more than one audience.
	// +optional
	AudienceMatchPolicy string `json:"audienceMatchPolicy,omitempty"`
	// EgressSelectorType says which network the issuer is reached through.
	// +optional
	EgressSelectorType string `json:"egressSelectorType,omitempty"`
}

// ClaimValidationRule has to hold for the claims of a token.
type ClaimValidationRule struct {
	// Claim that has to have a certain value.
	// +optional
	Claim string `json:"claim,omitempty"`
	// RequiredValue of the claim.
	// +optional
	RequiredValue string `json:"requiredValue,omitempty"`
	// Expression in CEL over "claims" that has to be true.
	// +optional
	Expression string `json:"expression,omitempty"`
	// Message for when the expression is false.
	// +optional
	Message string `json:"message,omitempty"`
}

// ClaimMappings say which claims make the user.
type ClaimMappings struct {
	// Username says what makes the user's name.
	Username PrefixedClaimOrExpression `json:"username"`
	// Groups says what makes the user's groups.
	// +optional
	Groups PrefixedClaimOrExpression `json:"groups,omitempty"`
	// UID says what makes the user's identifier.
	// +optional
	UID ClaimOrExpression `json:"uid,omitempty"`
	// Extra says what makes more attributes of the user.
	// +optional
	Extra []ExtraMapping `json:"extra,omitempty"`
}

// PrefixedClaimOrExpression takes a claim with a prefix, or the value of an expression.
type PrefixedClaimOrExpression struct {
	// Claim to take.
	// +optional
	Claim string `json:"claim,omitempty"`
	// Prefix to put before the claim. It has to be given with a claim, and may be empty.
	// +optional
	Prefix *string `json:"prefix,omitempty"`
	// Expression in CEL over "claims".
	// +optional
	Expression string `json:"expression,omitempty"`
}

// ClaimOrExpression takes a claim, or the value of an expression.
type ClaimOrExpression struct {
	// Claim to take.
	// +optional
	Claim string `json:"claim,omitempty"`
	// Expression in CEL over "claims".
	// +optional
	Expression string `json:"expression,omitempty"`
}

// ExtraMapping makes one more attribute of a user.
type ExtraMapping struct {
	// Key of the attribute: a path with a domain, in lower case.
	Key string `json:"key"`
	// ValueExpression in CEL over "claims".
	ValueExpression string `json:"valueExpression"`
}

// UserValidationRule has to hold for a user.
type UserValidationRule struct {
	// Expression in CEL over "user" that has to be true.
	Expression string `json:"expression"`
	// Message for when the expression is false.
	// +optional
	Message string `json:"message,omitempty"`
}

// AuditPolicy says what an API server writes to its audit log.
type AuditPolicy struct {
	// Rules are looked at in order; the first that matches a request decides.
	// +listType=atomic
	Rules []AuditPolicyRule `json:"rules"`
	// OmitStages are stages of a request that no event is written for.
	// +listType=atomic
	// +optional
	OmitStages []string `json:"omitStages,omitempty"`
	// OmitManagedFields leaves managed fields out of what is written.
	// +optional
	OmitManagedFields bool `json:"omitManagedFields,omitempty"`
}

// AuditPolicyRule says how much is written of the requests that it matches. What is empty
// matches everything.
type AuditPolicyRule struct {
	// Level is None, Metadata, Request or RequestResponse.
	Level string `json:"level"`
	// Users who ask.
	// +listType=atomic
	// +optional
	Users []string `json:"users,omitempty"`
	// UserGroups that who asks belongs to.
	// +listType=atomic
	// +optional
	UserGroups []string `json:"userGroups,omitempty"`
	// Verbs of the request.
	// +listType=atomic
	// +optional
	Verbs []string `json:"verbs,omitempty"`
	// Resources that are asked for.
	// +listType=atomic
	// +optional
	Resources []AuditGroupResources `json:"resources,omitempty"`
	// Namespaces that are asked for; the empty string stands for objects without one.
	// +listType=atomic
	// +optional
	Namespaces []string `json:"namespaces,omitempty"`
	// NonResourceURLs are paths, with a * at the end at most.
	// +listType=atomic
	// +optional
	NonResourceURLs []string `json:"nonResourceURLs,omitempty"`
	// OmitStages are stages of a request that no event is written for.
	// +listType=atomic
	// +optional
	OmitStages []string `json:"omitStages,omitempty"`
	// OmitManagedFields says otherwise than the policy.
	// +optional
	OmitManagedFields *bool `json:"omitManagedFields,omitempty"`
}

// AuditGroupResources are resources of one API group.
type AuditGroupResources struct {
	// Group of the resources; empty for the core group.
	// +optional
	Group string `json:"group,omitempty"`
	// Resources by their plural names, with a subresource or a * where wished. Empty means all.
	// +listType=atomic
	// +optional
	Resources []string `json:"resources,omitempty"`
	// ResourceNames are the names of objects. Empty means all.
	// +listType=atomic
	// +optional
	ResourceNames []string `json:"resourceNames,omitempty"`
}
