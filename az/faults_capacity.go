package az

import (
	"context"
	"fmt"
	"strings"

	"tripod/api"
	"tripod/awsapi/ec2"
	"tripod/az/plan"
	"tripod/region"
	"tripod/state"
)

// limitCapacity gives a zone an end of its instances.
func (f *recordFaults) limitCapacity(ctx context.Context, o api.FaultOrder) (api.FaultDone, error) {
	zone, err := f.zoneNamed(o.Target.Name)
	if err != nil {
		return api.FaultDone{}, err
	}
	of := "instances"
	if o.InstanceType != "" {
		if ec2.CheckInstanceTypes([]string{o.InstanceType}) != nil {
			return api.FaultDone{}, refuse("AWS has no instance type %q: 'aws ec2 describe-instance-types' lists them",
				o.InstanceType)
		}
		of = o.InstanceType
	}
	limit := fmt.Sprintf("at most %d %s", o.Instances, of)
	fault := region.Fault{Target: api.KindCapacity + "/" + zone, Of: o.InstanceType, Fault: limit}
	err = f.state.Update(ctx, func(tx *state.Txn) error {
		region.LimitCapacity(tx, region.Capacity{Zone: zone, Type: o.InstanceType, Instances: o.Instances})
		f.put(tx, fault, o)
		return nil
	})
	return api.FaultDone{Target: fault.Target, Said: "has " + limit + ": launches beyond fail with " +
		"InsufficientInstanceCapacity"}, err
}

func (f *recordFaults) freeCapacity(ctx context.Context, fault region.Fault) error {
	zone := strings.TrimPrefix(fault.Target, api.KindCapacity+"/")
	return f.state.Update(ctx, func(tx *state.Txn) error {
		if region.EndFault(tx, fault) {
			region.FreeCapacity(tx, zone, fault.Of)
		}
		return nil
	})
}

func (f *recordFaults) capacityNamed(o api.FaultOrder) (string, error) {
	zone, err := f.zoneNamed(o.Target.Name)
	return api.KindCapacity + "/" + zone, err
}

// zoneNamed finds a zone by its name or its last letter.
func (f *recordFaults) zoneNamed(name string) (string, error) {
	var letters []string
	for i, zone := range f.network.VPC.Zones {
		if name == zone || name == plan.Letter(zone) || name == f.network.VPC.ZoneIDs()[i] {
			return zone, nil
		}
		letters = append(letters, plan.Letter(zone))
	}
	return "", refuse("there is no zone %q in %s: its zones are %s", name, f.region, enumerate(letters, 0))
}
