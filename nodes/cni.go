package nodes

import (
	"context"
	"log/slog"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"tripod/nodes/ipam"
)

var (
	daemonSetResource = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "daemonsets"}
	eniConfigResource = schema.GroupVersionResource{Group: "crd.k8s.amazonaws.com", Version: "v1alpha1", Resource: "eniconfigs"}
	// theCNI selects the DaemonSet of the VPC CNI.
	theCNI = fields.AndSelectors(fields.OneTermEqualSelector("metadata.namespace", "kube-system"),
		fields.OneTermEqualSelector("metadata.name", "aws-node"))
)

// watchCNI tells a cluster's pools of the settings of its VPC CNI, and of its ENIConfigs while these count, until ctx ends. A
// cluster without the DaemonSet has the defaults. At rest it costs a watch that says nothing.
func watchCNI(ctx context.Context, client dynamic.Interface, clusterID string, pools *ipam.Pools, log *slog.Logger) {
	var watching sync.WaitGroup
	defer watching.Wait()
	end := func() {}
	defer func() { end() }()
	custom := false
	follow(ctx, client, daemonSetResource, theCNI, func(sets []*unstructured.Unstructured) {
		settings := ipam.Defaults()
		if len(sets) > 0 {
			settings = ipam.SettingsOf(environmentOf(sets[0]))
		}
		if settings.Custom && custom {
			pools.Configure(clusterID, settings, pools.Networks(clusterID))
			return
		}
		end()
		watching.Wait()
		custom = settings.Custom
		pools.Configure(clusterID, settings, nil)
		if !custom {
			return
		}
		inner, cancel := context.WithCancel(ctx)
		end = cancel
		watching.Go(func() {
			follow(inner, client, eniConfigResource, fields.Everything(), func(list []*unstructured.Unstructured) {
				pools.Configure(clusterID, pools.Settings(clusterID), networksOf(list, log))
			})
		})
	})
}

// environmentOf is what the container aws-node of the DaemonSet is told, as far as it stands there itself.
func environmentOf(set *unstructured.Unstructured) map[string]string {
	env := map[string]string{}
	containers, _, _ := unstructured.NestedSlice(set.Object, "spec", "template", "spec", "containers")
	for _, c := range containers {
		container, _ := c.(map[string]any)
		if container["name"] != "aws-node" {
			continue
		}
		list, _, _ := unstructured.NestedSlice(container, "env")
		for _, e := range list {
			one, _ := e.(map[string]any)
			name, _ := one["name"].(string)
			if value, is := one["value"].(string); is {
				env[name] = value
			}
		}
	}
	return env
}

// networksOf are the networks that ENIConfigs name. One without a subnet is left out, as ipamd does.
func networksOf(list []*unstructured.Unstructured, log *slog.Logger) map[string]ipam.Network {
	all := map[string]ipam.Network{}
	for _, config := range list {
		subnet, _, _ := unstructured.NestedString(config.Object, "spec", "subnet")
		groups, _, _ := unstructured.NestedStringSlice(config.Object, "spec", "securityGroups")
		if subnet == "" {
			log.Warn("an ENIConfig has no subnet", "name", config.GetName())
			continue
		}
		all[config.GetName()] = ipam.Network{Subnet: subnet, Groups: groups}
	}
	return all
}
