package deployment

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"sigs.k8s.io/yaml"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// DocumentKind names a document in sentences.
type DocumentKind string

// The documents that a cluster's chart may refer to.
const (
	AuthenticationDocument DocumentKind = "authentication configuration"
	AuditDocument          DocumentKind = "audit policy"
)

var documentKinds = []DocumentKind{AuthenticationDocument, AuditDocument}

// place says where a document of a kind is stored, and which condition speaks of it.
type place struct{ suffix, key, condition string }

var places = map[DocumentKind]place{
	AuthenticationDocument: {kcm.AuthConfigSecretSuffix, kcm.AuthConfigSecretKey, kcm.ClusterAuthenticationReadyCondition},
	AuditDocument:          {kcm.AuditPolicyConfigMapSuffix, kcm.AuditPolicyConfigMapKey, kcm.ClusterAuditPolicyReadyCondition},
}

// reference is what the ClusterDeployment names as the source of a document.
func reference(d *kcm.ClusterDeployment, kind DocumentKind) string {
	if kind == AuthenticationDocument {
		return d.Spec.ClusterAuth
	}
	return d.Spec.AuditPolicy
}

func (saw Observed) document(kind DocumentKind) Document {
	if kind == AuthenticationDocument {
		return saw.Authentication
	}
	return saw.AuditPolicy
}

// hash is the short digest by which a chart notices that a document's content has changed.
func (d Document) hash() string {
	sum := sha256.Sum256([]byte(d.Text))
	return hex.EncodeToString(sum[:4])
}

// authenticationDocument is the API server's AuthenticationConfiguration. The certificate
// authority, if there is one, is that of every issuer. The API server would not start with one
// that breaks its rules, so it is looked at whole: admission has seen it without the authority.
func authenticationDocument(spec kcm.AuthenticationConfiguration, ca string) (Document, error) {
	conf := *spec.DeepCopy()
	for i := range conf.JWT {
		if ca != "" {
			conf.JWT[i].Issuer.CertificateAuthority = ca
		}
	}
	whole := &kcm.ClusterAuthentication{Spec: kcm.ClusterAuthenticationSpec{AuthenticationConfiguration: &conf}}
	if errs := admission.ValidateClusterAuthentication(whole, nil); len(errs) > 0 {
		return Document{Problem: errs.ToAggregate().Error()}, nil
	}
	text, err := documentText("apiserver.config.k8s.io/v1", "AuthenticationConfiguration", conf)
	return Document{Text: text, Anonymous: conf.Anonymous != nil}, err
}

// auditDocument is the API server's audit Policy.
func auditDocument(policy kcm.AuditPolicy) (Document, error) {
	text, err := documentText("audit.k8s.io/v1", "Policy", policy)
	return Document{Text: text}, err
}

func documentText(apiVersion, kind string, body any) (string, error) {
	text, err := yaml.Marshal(body)
	if err != nil {
		return "", fmt.Errorf("writing the %s: %w", kind, err)
	}
	return fmt.Sprintf("apiVersion: %s\nkind: %s\n%s", apiVersion, kind, text), nil
}
