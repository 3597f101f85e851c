"""Makes the networks of this folder: random models, hls4ml 1.3.0's configuration of them, and what its compiled simulation gives.

    pip install hls4ml==1.3.0 tensorflow-cpu==2.15.1 qkeras==0.9.0 tensorflow-model-optimization==0.7.5 pyparsing "numpy<2"
    python make.py misc qconv conv merge soft qk
"""
import os, sys, json
os.environ['TF_CPP_MIN_LOG_LEVEL']='3'
import numpy as np, tensorflow as tf, hls4ml, yaml
from tensorflow.keras import layers as L, Model
rng=np.random.RandomState(7)
def randomize(m):
    for l in m.layers:
        ws=[]
        for v,w in zip(l.weights,l.get_weights()):
            if 'variance' in v.name: ws.append(rng.uniform(0.3,2,w.shape))
            elif 'gamma' in v.name: ws.append(rng.uniform(0.5,1.5,w.shape))
            else: ws.append(rng.uniform(-0.9,0.9,w.shape))
        if ws: l.set_weights(ws)
def conv():
    i=L.Input((6,6,2),name='in')
    x=L.Conv2D(3,3,padding='same',name='c1')(i)
    x=L.BatchNormalization(name='bn')(x)
    x=L.ReLU(name='r1')(x)
    x=L.MaxPooling2D(3,strides=2,padding='same',name='mp')(x)
    x=L.DepthwiseConv2D(2,padding='valid',name='dw')(x)
    x=L.LeakyReLU(0.3,name='lr')(x)
    x=L.AveragePooling2D(2,strides=1,padding='same',name='ap')(x)
    x=L.ZeroPadding2D(1,name='zp')(x)
    x=L.Conv2D(2,(2,3),strides=(2,1),activation='tanh',name='c2')(x)
    x=L.Flatten(name='fl')(x)
    x=L.Dense(4,name='d')(x)
    o=L.ELU(name='e')(x)
    return Model(i,o)
def merge():
    i=L.Input((8,),name='in')
    a=L.Dense(6,name='a',activation='relu')(i); b=L.Dense(6,name='b')(i)
    m=[L.Add(name='m0')([a,b]),L.Subtract(name='m1')([a,b]),L.Multiply(name='m2')([a,b]),L.Average(name='m3')([a,b]),L.Maximum(name='m4')([a,b]),L.Minimum(name='m5')([a,b])]
    c=L.Concatenate(name='k0')([m[0],m[1]]); c2=L.Concatenate(name='k1')([m[2],m[3]]); c3=L.Concatenate(name='k2')([m[4],m[5]])
    c=L.Concatenate(name='k3')([c,c2]); c=L.Concatenate(name='k4')([c,c3])
    x=L.Dense(5,name='d')(c)
    o=L.PReLU(name='p')(x)
    return Model(i,o)
def soft():
    i=L.Input((8,),name='in')
    x=L.Dense(6,name='a')(i)
    return Model(i,[L.Activation('softmax',name='s%d'%k)(x) for k in range(4)])
def qk():
    from qkeras import QDense,QActivation,quantized_bits,quantized_relu,quantized_tanh,binary,ternary,quantized_sigmoid
    i=L.Input((8,),name='in')
    x=QDense(10,kernel_quantizer=quantized_bits(4,0,alpha='auto_po2'),bias_quantizer=quantized_bits(6,2,alpha=1),name='q1')(i)
    x=QActivation('quantized_tanh(5)',name='t1')(x)
    x=QDense(9,kernel_quantizer=binary(alpha=1),bias_quantizer=quantized_bits(4,1,alpha=1),name='q2')(x)
    x=L.BatchNormalization(name='bn2')(x)
    x=QActivation('binary(alpha=1)',name='b2')(x)
    x=QDense(7,kernel_quantizer=binary(alpha=1),bias_quantizer=quantized_bits(4,1,alpha=1),name='q3')(x)
    x=QActivation('quantized_sigmoid(4)',name='g3')(x)
    x=QDense(6,kernel_quantizer=ternary(alpha=1),bias_quantizer=quantized_bits(4,1,alpha=1),name='q4')(x)
    x=QActivation('ternary(alpha=1)',name='t4')(x)
    x=QDense(5,kernel_quantizer=quantized_bits(6,1,alpha=0.5),bias_quantizer=quantized_bits(6,1,alpha=1),name='q5')(x)
    o=QActivation('quantized_relu(6,3,negative_slope=0.25)',name='r5')(x)
    return Model(i,o)
def cfg_merge(c):
    for n in ('a','b'):
        c['LayerName'][n]['Precision'].update(weight='fixed<8,1>',bias='fixed<8,2,RND,SAT>',accum='fixed<12,3,RND,SAT>',result='fixed<10,4,TRN,SAT>')
    c['LayerName']['m2']['Precision']['result']='fixed<12,5,RND_CONV,SAT>'
    c['LayerName']['d']['Precision'].update(accum='fixed<14,4,TRN,SAT>')
def cfg_soft(c):
    c['LayerName']['a']['Precision']['result']='fixed<12,5>'
    for k,s in enumerate(['latency','legacy','argmax','stable']):
        n='s%d'%k
        c['LayerName'][n]['Implementation']=s
    c['LayerName']['s3']['TableSize']=256
    c['LayerName']['s3']['exp_table_t']='ap_ufixed<10,1,AP_RND,AP_SAT>'
    c['LayerName']['s3']['Precision']['table']='ap_fixed<20,4>'
    c['LayerName']['s0']['Precision']['accum']='ap_fixed<14,6,AP_RND,AP_SAT>'
def cfg_qk(c): pass
def misc():
    i=L.Input((10,4),name='in')
    x=L.Conv1D(5,3,padding='causal',name='c1')(i)
    x=L.BatchNormalization(name='bn1')(x)
    x=L.Activation('hard_sigmoid',name='hs')(x)
    x=L.UpSampling1D(2,name='up')(x)
    x=L.Conv1D(4,4,strides=2,padding='same',name='c2',activation='softsign')(x)
    x=L.ThresholdedReLU(0.25,name='tr')(x)
    x=L.Permute((2,1),name='pm')(x)
    x=L.Conv1D(6,1,name='c3',activation='selu')(x)
    a=L.GlobalAveragePooling1D(name='ga')(x); b=L.GlobalMaxPooling1D(name='gm')(x)
    x=L.Add(name='ad')([a,b])
    x=L.Dense(7,name='d1',activation='softplus')(x)
    x=L.Dense(5,name='d2')(x)
    x=L.BatchNormalization(name='bn2')(x)
    o=L.Activation('softmax',name='sm')(x)
    return Model(i,o)
def cfg_misc(c):
    c['LayerName']['d1'].pop('Precision'); c['LayerName']['d1']['ReuseFactor']=3; c['LayerName']['d1']['Strategy']='Resource'
    c['LayerType']={'Dense':{'Precision':{'weight':'fixed<10,3,RND,SAT>','bias':'fixed<9,3>','accum':'fixed<15,6,RND,WRAP>','result':'fixed<13,5,RND_CONV,SAT>'}},'Conv1D':{'Precision':{'weight':'fixed<7,2>'}}}
    c['LayerName']['c2']['Precision']={'accum':'fixed<14,5>','result':'fixed<12,4,RND>'}
    c['LayerName']['d2']['Precision'].update(accum='auto',result='auto')
    c['Model']['Precision']={'default':'fixed<16,6>','maximum':'fixed<30,12>'}
def qconv():
    from qkeras import QDense,QActivation,QConv2D,QConv1D,QDepthwiseConv2D,QBatchNormalization,quantized_bits,quantized_relu,quantized_po2,ternary,binary
    qb=lambda *a,**k: quantized_bits(*a,**k)
    i=L.Input((7,7,2),name='in')
    x=QConv2D(4,3,padding='same',kernel_quantizer=qb(5,0,alpha='auto_po2'),bias_quantizer=qb(6,1,alpha=1),name='c1')(i)
    x=QActivation('quantized_relu(4,1)',name='r1')(x)
    x=L.MaxPooling2D(2,strides=2,padding='same',name='mp')(x)
    x=QDepthwiseConv2D(2,depthwise_quantizer=qb(4,0,alpha=1),bias_quantizer=qb(4,0,alpha=1),name='dw')(x)
    x=QActivation('quantized_relu(5,2)',name='r2')(x)
    x=QConv2D(3,2,kernel_quantizer=quantized_po2(4),bias_quantizer=qb(4,0,alpha=1),name='c2')(x)
    x=QActivation('quantized_bits(7,3,alpha=1)',name='b2')(x)
    x=L.AveragePooling2D(2,name='ap')(x)
    x=L.Flatten(name='fl')(x)
    x=QDense(6,kernel_quantizer=qb(4,0,keep_negative=0,alpha=1),bias_quantizer=qb(4,4,alpha=1),name='d1')(x)
    x=QBatchNormalization(name='qbn',gamma_quantizer=None,beta_quantizer=None,mean_quantizer=None,variance_quantizer=None)(x)
    x=QActivation('quantized_tanh(6,use_real_tanh=1)',name='t1')(x)
    x=QDense(5,kernel_quantizer=qb(6,0,alpha=1),use_bias=False,name='d2')(x)
    return Model(i,x)
cases={'misc':(misc,cfg_misc),'qconv':(qconv,lambda c:None),'conv':(conv,lambda c:None),'merge':(merge,cfg_merge),'soft':(soft,cfg_soft),'qk':(qk,cfg_qk)}
for name in sys.argv[1:]:
    make,edit=cases[name]
    d=os.path.join(os.path.dirname(os.path.abspath(__file__)),name)
    try:
        m=make(); randomize(m)
        c=hls4ml.utils.config_from_keras_model(m,granularity='name',backend='Vitis')
        edit(c)
        h=hls4ml.converters.convert_from_keras_model(m,hls_config=c,output_dir=d+'/prj',backend='Vitis',io_type='io_parallel')
        h.compile()
        shape=m.input_shape[1:]
        x=rng.uniform(-4,4,(200,)+shape).astype('float32'); x[:40]=np.round(x[:40]*64)/64; x[-20:]*=8
        y=h.predict(np.ascontiguousarray(x))
        if not isinstance(y,list): y=[y]
        os.makedirs(d,exist_ok=True)
        open(d+'/model.json','w').write(m.to_json()); m.save_weights(d+'/w.h5')
        np.save(d+'/x.npy',x)
        for k,v in enumerate(y): np.save(d+'/y%d.npy'%k,np.asarray(v).reshape(200,-1).astype('float64'))
        yaml.safe_dump(yaml.safe_load(open(d+'/prj/hls4ml_config.yml').read().replace('!keras_model','')),open(d+'/c.yml','w'))
        types={n.name:{'class':n.class_name,**{k:str(t.precision) for k,t in n.types.items()},'result':str(n.get_output_variable().type.precision)} for n in h.get_layers()}
        json.dump(types,open(d+'/types.json','w'),indent=1)
        print(name,'done',[np.asarray(v).shape for v in y],flush=True)
    except Exception as e:
        import traceback; traceback.print_exc()
