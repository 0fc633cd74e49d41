package kubetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
)

type crd = apiextensions.CustomResourceDefinition

// readAllCRDs reads the folders, relative to root or absolute.
func readAllCRDs(root string, folders []string) ([]*crd, error) {
	var all []*crd
	for _, folder := range folders {
		if !filepath.IsAbs(folder) {
			folder = filepath.Join(root, folder)
		}
		crds, err := readCRDs(folder)
		if err != nil {
			return nil, err
		}
		all = append(all, crds...)
	}
	return all, nil
}

// applyCRDs creates the CRDs and returns when all are served.
func applyCRDs(ctx context.Context, config *rest.Config, crds []*crd) error {
	client, err := clientset.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("making a client for CRDs: %w", err)
	}
	for _, c := range crds {
		if _, err := client.ApiextensionsV1().CustomResourceDefinitions().Create(ctx, c, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("creating CRD %s: %w", c.Name, err)
		}
	}
	for _, c := range crds {
		if err := waitServed(ctx, client, c.Name); err != nil {
			return err
		}
	}
	return nil
}

func readCRDs(folder string) ([]*crd, error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("reading CRDs: %s has no *.yaml: run `make`, or correct the path", folder)
	}
	var crds []*crd
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading CRDs: %w", err)
		}
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
		for {
			c := &crd{}
			if err := decoder.Decode(c); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, fmt.Errorf("reading CRDs of %s: %w", file, err)
			}
			if c.Kind == "CustomResourceDefinition" {
				crds = append(crds, c)
			}
		}
	}
	return crds, nil
}

// waitServed watches until the API server has accepted the names of the CRD.
func waitServed(ctx context.Context, client clientset.Interface, name string) error {
	events, err := client.ApiextensionsV1().CustomResourceDefinitions().Watch(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("metadata.name", name).String(),
	})
	if err != nil {
		return fmt.Errorf("watching CRD %s: %w", name, err)
	}
	defer events.Stop()
	for event := range events.ResultChan() {
		if c, ok := event.Object.(*crd); ok && established(c) {
			return nil
		}
	}
	return fmt.Errorf("waiting for CRD %s to be served: the watch ended", name)
}

func established(c *crd) bool {
	return slices.ContainsFunc(c.Status.Conditions, func(c apiextensions.CustomResourceDefinitionCondition) bool {
		return c.Type == apiextensions.Established && c.Status == apiextensions.ConditionTrue
	})
}
