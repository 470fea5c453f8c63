package podvolume

import (
	"context"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	certificatesv1 "k8s.io/client-go/kubernetes/typed/certificates/v1"
)

// TrustBundles reads the ClusterTrustBundles that a projection names, or that it selects among a signer's; none is no
// error.
func TrustBundles(ctx context.Context, client certificatesv1.ClusterTrustBundleInterface,
	want *corev1.ClusterTrustBundleProjection) ([]string, error) {
	if want.Name != nil {
		made, err := client.Get(ctx, *want.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("read ClusterTrustBundle %s: %w", *want.Name, err)
		}
		return []string{made.Spec.TrustBundle}, nil
	}
	if want.SignerName == nil || want.LabelSelector == nil { // no selector selects nothing
		return nil, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(want.LabelSelector)
	if err != nil {
		return nil, err
	}
	made, err := client.List(ctx, metav1.ListOptions{LabelSelector: selector.String(),
		FieldSelector: fields.OneTermEqualSelector("spec.signerName", *want.SignerName).String()})
	if err != nil {
		return nil, fmt.Errorf("list ClusterTrustBundles of %s: %w", *want.SignerName, err)
	}
	var bundles []string
	for i := range made.Items {
		if made.Items[i].Spec.SignerName == *want.SignerName {
			bundles = append(bundles, made.Items[i].Spec.TrustBundle)
		}
	}
	return bundles, nil
}

// anchors are the certificates of bundles, each once and without what is between them, as a kubelet writes them. Where a
// kubelet shuffles them they are in order here, so that they are the same at every look.
func anchors(bundles []string) string {
	found := map[string]bool{}
	for _, bundle := range bundles {
		for block, rest := pem.Decode([]byte(bundle)); block != nil; block, rest = pem.Decode(rest) {
			found[string(block.Bytes)] = true
		}
	}
	var b strings.Builder
	for _, certificate := range slices.Sorted(maps.Keys(found)) {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(certificate)}))
	}
	return b.String()
}
