package kubestate

import (
	"context"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

type (
	service       = corev1.Service
	endpoints     = corev1.Endpoints //lint:ignore SA1019 they are told of as long as clusters have them
	endpointSlice = discoveryv1.EndpointSlice
	ingress       = networkingv1.Ingress
	ingressClass  = networkingv1.IngressClass
	networkPolicy = networkingv1.NetworkPolicy
)

var services = kind[service, *service]{
	name: "services",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.CoreV1().Services("").List(ctx, o)
	},
	labels: identified[*service]("service"),
	families: []family[service]{
		info("kube_service_info", "Information about service.", func(v *service) []string {
			return []string{"cluster_ip", v.Spec.ClusterIP, "external_name", v.Spec.ExternalName, "load_balancer_ip",
				v.Spec.LoadBalancerIP, "external_traffic_policy", string(v.Spec.ExternalTrafficPolicy)}
		}),
		created[service]("kube_service"),
		deleted[service]("kube_service"),
		info("kube_service_spec_type", "Type about service.", func(v *service) []string { return []string{"type", string(v.Spec.Type)} }),
		several("kube_service_spec_external_ip", "Service external ips. One series for each ip", func(v *service, s *series) {
			for _, ip := range v.Spec.ExternalIPs {
				s.add(1, "external_ip", ip)
			}
		}),
		several("kube_service_status_load_balancer_ingress", "Service load balancer ingress status", func(v *service, s *series) {
			for _, in := range v.Status.LoadBalancer.Ingress {
				s.add(1, "ip", in.IP, "hostname", in.Hostname)
			}
		}),
	},
}

var endpointSets = kind[endpoints, *endpoints]{
	name: "endpoints",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.CoreV1().Endpoints("").List(ctx, o)
	},
	labels: namespaced[*endpoints]("endpoint"),
	families: []family[endpoints]{
		exists[endpoints]("kube_endpoint_info", "Information about endpoint."),
		created[endpoints]("kube_endpoint"),
		several("kube_endpoint_address", "Information about Endpoint available and non available addresses.", endpointAddresses),
		several("kube_endpoint_ports", "Information about the Endpoint ports.", func(e *endpoints, s *series) {
			for _, subset := range e.Subsets {
				for _, p := range subset.Ports {
					s.add(1, "port_name", p.Name, "port_protocol", string(p.Protocol), "port_number", strconv.Itoa(int(p.Port)))
				}
			}
		}),
	},
}

// endpointAddresses tells of each address with each port: of one object that may be a hundred million series.
func endpointAddresses(e *endpoints, s *series) {
	for _, subset := range e.Subsets {
		for _, p := range subset.Ports {
			if s.of.err != nil {
				return
			}
			add := func(ip, ready string) {
				s.add(1, "port_protocol", string(p.Protocol), "port_number", strconv.Itoa(int(p.Port)), "port_name", p.Name, "ip", ip,
					"ready", ready)
			}
			for _, a := range subset.Addresses {
				add(a.IP, "true")
			}
			for _, a := range subset.NotReadyAddresses {
				add(a.IP, "false")
			}
		}
	}
}

var endpointSlices = kind[endpointSlice, *endpointSlice]{
	name: "endpointslices",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.DiscoveryV1().EndpointSlices("").List(ctx, o)
	},
	labels: namespaced[*endpointSlice]("endpointslice"),
	families: []family[endpointSlice]{
		info("kube_endpointslice_info", "Information about endpointslice.",
			func(e *endpointSlice) []string { return []string{"addresstype", string(e.AddressType)} }),
		created[endpointSlice]("kube_endpointslice"),
		several("kube_endpointslice_endpoints", "Endpoints attached to the endpointslice.", sliceEndpoints),
		several("kube_endpointslice_endpoints_hints", "Topology routing hints attached to endpoints", func(e *endpointSlice, s *series) {
			for _, one := range e.Endpoints {
				if one.Hints == nil || len(one.Addresses) == 0 {
					continue
				}
				for _, zone := range one.Hints.ForZones {
					s.add(1, "address", one.Addresses[0], "for_zone", zone.Name)
				}
			}
		}),
		several("kube_endpointslice_ports", "Ports attached to the endpointslice.", func(e *endpointSlice, s *series) {
			for _, p := range e.Ports {
				number := ""
				if p.Port != nil {
					number = strconv.Itoa(int(*p.Port))
				}
				s.add(1, "port_name", said(p.Name), "port_protocol", said(p.Protocol), "port_number", number)
			}
		}),
	},
}

func sliceEndpoints(e *endpointSlice, s *series) {
	perhaps := func(is *bool) string {
		if is == nil {
			return ""
		}
		return word(*is)
	}
	for _, one := range e.Endpoints {
		to := corev1.ObjectReference{}
		if one.TargetRef != nil {
			to = *one.TargetRef
		}
		for _, address := range one.Addresses {
			s.add(1, "ready", perhaps(one.Conditions.Ready), "serving", perhaps(one.Conditions.Serving), "hostname", said(one.Hostname),
				"terminating", perhaps(one.Conditions.Terminating), "targetref_kind", to.Kind, "targetref_name", to.Name,
				"targetref_namespace", to.Namespace, "endpoint_nodename", said(one.NodeName), "endpoint_zone", said(one.Zone),
				"address", address)
		}
	}
}

var ingresses = kind[ingress, *ingress]{
	name: "ingresses",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.NetworkingV1().Ingresses("").List(ctx, o)
	},
	labels: namespaced[*ingress]("ingress"),
	families: []family[ingress]{
		info("kube_ingress_info", "Information about ingress.", func(i *ingress) []string {
			class := "_default"
			if i.Spec.IngressClassName != nil {
				class = *i.Spec.IngressClassName
			}
			if old, found := i.Annotations["kubernetes.io/ingress.class"]; found {
				class = old
			}
			return []string{"ingressclass", class}
		}),
		created[ingress]("kube_ingress"),
		version[ingress]("kube_ingress", "Resource version representing a specific version of ingress."),
		several("kube_ingress_path", "Ingress host, paths and backend service information.", ingressPaths),
		several("kube_ingress_tls", "Ingress TLS host and secret information.", func(i *ingress, s *series) {
			for _, tls := range i.Spec.TLS {
				for _, host := range tls.Hosts {
					s.add(1, "tls_host", host, "secret", tls.SecretName)
				}
			}
		}),
	},
}

func ingressPaths(i *ingress, s *series) {
	for _, rule := range i.Spec.Rules {
		if rule.HTTP == nil {
			continue
		}
		for _, path := range rule.HTTP.Paths {
			labels := []string{"host", rule.Host, "path", path.Path, "path_type", said(path.PathType)}
			switch to := path.Backend; {
			case to.Service != nil:
				s.add(1, append(labels, "service_name", to.Service.Name, "service_port", strconv.Itoa(int(to.Service.Port.Number)))...)
			case to.Resource != nil:
				s.add(1, append(labels, "resource_api_group", said(to.Resource.APIGroup), "resource_kind", to.Resource.Kind,
					"resource_name", to.Resource.Name)...)
			}
		}
	}
}

var ingressClasses = kind[ingressClass, *ingressClass]{
	name: "ingressclasses",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.NetworkingV1().IngressClasses().List(ctx, o)
	},
	labels: named[*ingressClass]("ingressclass"),
	families: []family[ingressClass]{
		info("kube_ingressclass_info", "Information about ingressclass.",
			func(c *ingressClass) []string { return []string{"controller", c.Spec.Controller} }),
		created[ingressClass]("kube_ingressclass"),
	},
}

var networkPolicies = kind[networkPolicy, *networkPolicy]{
	name: "networkpolicies",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.NetworkingV1().NetworkPolicies("").List(ctx, o)
	},
	labels: namespaced[*networkPolicy]("networkpolicy"),
	families: []family[networkPolicy]{
		several("kube_networkpolicy_created", "Unix creation timestamp of network policy",
			func(n *networkPolicy, s *series) { s.time(&n.CreationTimestamp) }),
		count("kube_networkpolicy_spec_ingress_rules", "Number of ingress rules on the networkpolicy",
			func(n *networkPolicy) int { return len(n.Spec.Ingress) }),
		count("kube_networkpolicy_spec_egress_rules", "Number of egress rules on the networkpolicy",
			func(n *networkPolicy) int { return len(n.Spec.Egress) }),
	},
}
