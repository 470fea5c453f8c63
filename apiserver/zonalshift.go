package apiserver

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"slices"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apiserver/pkg/admission"
	genericoptions "k8s.io/apiserver/pkg/server/options"
	"k8s.io/kubernetes/pkg/apis/discovery"
)

// zonalShiftName is the admission plugin's.
const zonalShiftName = "EKSZonalShift"

// zonalShift leaves the endpoints of zones that traffic is moved away from out of the EndpointSlices that Kubernetes'
// controller writes. In EKS the controller itself does so. The controller, which wants them in, writes them again
// whenever it looks at the Service; what is stored does not change by that.
type zonalShift struct {
	*admission.Handler
	file string // a JSON list of zone names, which the zone's agent keeps true; none is as an empty one
}

var _ admission.MutationInterface = &zonalShift{}

// admitZonalShifts adds the plugin to an API server's. It comes first, so that what others see is what is stored.
func admitZonalShifts(options *genericoptions.AdmissionOptions, file string) {
	options.Plugins.Register(zonalShiftName, func(io.Reader) (admission.Interface, error) {
		return &zonalShift{admission.NewHandler(admission.Create, admission.Update), file}, nil
	})
	options.RecommendedPluginOrder = append([]string{zonalShiftName}, options.RecommendedPluginOrder...)
}

// Admit implements admission.MutationInterface.
func (z *zonalShift) Admit(_ context.Context, a admission.Attributes, _ admission.ObjectInterfaces) error {
	slice, ok := a.GetObject().(*discovery.EndpointSlice)
	if !ok || a.GetResource().GroupResource() != discovery.Resource("endpointslices") ||
		slice.Labels[discoveryv1.LabelManagedBy] != "endpointslice-controller.k8s.io" {
		return nil
	}
	if away := z.zones(); len(away) > 0 {
		slice.Endpoints = slices.DeleteFunc(slice.Endpoints,
			func(e discovery.Endpoint) bool { return e.Zone != nil && slices.Contains(away, *e.Zone) })
	}
	return nil
}

// zones reads the file each time: EndpointSlices are written seldom, and it has to count at once.
func (z *zonalShift) zones() (away []string) {
	text, err := os.ReadFile(z.file)
	if err != nil || json.Unmarshal(text, &away) != nil {
		return nil
	}
	return away
}
